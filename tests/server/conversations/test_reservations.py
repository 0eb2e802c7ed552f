"""Pixels of requests: in a line, first come, first served, and nothing is lost."""

import asyncio

import pytest

from segue.server.conversations.reservations import PixelReservations
from segue.server.http.errors import ApiError
from server.conftest import apart


def test_what_does_not_fit_waits_its_turn():
    async def work():
        room, order = PixelReservations(100, max_waiting=9, deadline_s=5), []

        async def hold(name, pixels, until):
            async with room.reserve(pixels):
                order.append(name)
                await until.wait()

        first, rest = asyncio.Event(), asyncio.Event()
        rest.set()
        tasks = [asyncio.create_task(hold("a", 80, first))]
        tasks += [asyncio.create_task(hold(n, p, rest)) for n, p in (("b", 500), ("c", 10))]
        while room.waiting < 2:
            await asyncio.sleep(0)
        assert (order, room.held) == (["a"], 80)  # "c" would fit, but "b" was there before
        first.set()
        await asyncio.gather(*tasks)
        return order, room.held

    assert apart(lambda: asyncio.run(work())) == (["a", "b", "c"], 0)


def test_the_line_has_an_end_and_a_deadline():
    async def work():
        room = PixelReservations(10, max_waiting=1, deadline_s=0.01)
        await room.take(10)
        waiting = asyncio.create_task(room.take(1))
        while not room.waiting:
            await asyncio.sleep(0)
        with pytest.raises(ApiError, match="waiting already") as full:
            await room.take(1)
        with pytest.raises(ApiError, match="took too long") as late:
            await waiting
        room.give(10)
        assert (room.held, room.waiting) == (0, 0)
        return full.value.status, late.value.status

    assert apart(lambda: asyncio.run(work())) == (429, 504)


def test_one_that_leaves_the_line_lets_the_next_come():
    async def work():
        room = PixelReservations(10, max_waiting=9, deadline_s=5)
        await room.take(6)
        large, small = asyncio.create_task(room.take(9)), asyncio.create_task(room.take(4))
        while room.waiting < 2:
            await asyncio.sleep(0)
        large.cancel()
        await small
        with pytest.raises(asyncio.CancelledError):
            await large
        return room.held

    assert apart(lambda: asyncio.run(work())) == 10
