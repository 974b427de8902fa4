"""The load script, at a small scale: visitors who drag at once are all answered, while another one trains."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.space.load import Page, Visitor


def test_every_move_of_visitors_who_drag_at_once_is_answered(server: str) -> None:
    async def drag() -> list[float]:
        done: list[float] = []
        async with httpx.AsyncClient(base_url=server, timeout=60) as client:
            page = Page((await client.get("/config")).json())
            visitors = [Visitor(client, page) for _ in range(5)]
            await asyncio.gather(*(visitor.choose("l1") for visitor in visitors))
            training = asyncio.create_task(Visitor(client, page).train(2))
            await asyncio.gather(*(visitor.drag(10, done) for visitor in visitors))
            await training
        return done

    with ThreadPoolExecutor(1) as elsewhere:  # a browser of other tests may have a loop running here
        assert len(elsewhere.submit(asyncio.run, drag()).result()) == 50
