"""A worker whose tasks are coroutines: one agent has many of them under way; and a program that awaits futures.

It crawls a small web site, which it serves itself on the loopback address.

Run it: python examples/async_crawl.py
"""

from __future__ import annotations

import asyncio
import re

from actors import ActorSystem, Worker, task

PAGES = {f"/{number}": [f"/{3 * number + step}" for step in (1, 2, 3) if number < 13] for number in range(40)}


class Crawler(Worker):
    # So many of its async tasks run at once in one agent. Only `await` gives the others a turn.
    concurrency = 50

    @task(timeout=30, retries=2, retry_on=OSError)
    async def links(self, port: int, path: str) -> list[str]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            page = await reader.read()
        finally:
            writer.close()
        return re.findall(r'href="([^"]+)"', page.decode())


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    path = (await reader.readline()).decode().split()[1]
    body = "".join(f'<a href="{link}">{link}</a>' for link in PAGES[path])
    writer.write(f"HTTP/1.0 200 OK\r\n\r\n{body}".encode())
    await writer.drain()
    writer.close()


async def main() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        with ActorSystem({Crawler: 1}) as system:
            seen = {"/0"}
            waiting = ["/0"]
            while waiting:
                # A future of a task can be awaited like any other, also through asyncio.gather or wait_for.
                found = await asyncio.gather(*[system.submit(Crawler.links, port, path) for path in waiting])
                waiting = sorted({link for links in found for link in links} - seen)
                seen.update(waiting)
                print(f"{len(seen)} pages known, {len(waiting)} to read")
        print("all found:", seen == set(PAGES))


if __name__ == "__main__":
    asyncio.run(main())
