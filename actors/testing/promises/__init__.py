"""What must hold in a simulated run at any moment, each by the id of what is promised.

They look at what the shipped parts have in their books, at what agents really do, and at what was promised to whoever
waits. None of them trusts a part to judge itself, but for the scheduler's own checks of its books (`Engine.check`).
"""
