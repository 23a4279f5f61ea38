from actors import ActorSystem, Limits, Priority, Worker, task


class Thumbnailer(Worker):
    capabilities = {"imaging"}
    limits = Limits(memory="512M")

    def __init__(self, quality: int = 80) -> None:
        self.quality = quality

    @task(timeout=60, retries=2)
    def shrink(self, path: str, size: int = 128) -> str:
        self.progress(0.5, "decoded")
        return f"{path} at {size} pixels and quality {self.quality}"


if __name__ == "__main__":
    with ActorSystem({Thumbnailer: 2}) as system:
        future = system.submit(Thumbnailer.shrink, "a.png", size=64)
        print(future.result(timeout=10))

        for line in system.map(Thumbnailer.shrink, ["b.png", "c.png"]):  # lazy, in order
            print(line)

        print(system.submit(pow, 2, 10).result())  # any callable that pickles, lambdas too

        urgent = system.options(priority=Priority.HIGH, after=[future], timeout=5)
        print(urgent.submit(Thumbnailer.shrink, "d.png").result())
