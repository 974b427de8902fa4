"""The load script, at a small scale: visitors who open the page at once get all of it, while another one trains."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.space.load import Visitor, train


def test_visitors_who_come_at_once_are_all_served(server: str) -> None:
    async def visit() -> list[float]:
        async with httpx.AsyncClient(base_url=server, timeout=60) as client:
            training = asyncio.create_task(asyncio.to_thread(train, server, 2))
            seconds = await asyncio.gather(*(Visitor(client).open() for _ in range(5)))
            await Visitor(client).stay(0.1)
            await training
        return seconds

    with ThreadPoolExecutor(1) as elsewhere:  # a browser of other tests may have a loop running here
        assert len(elsewhere.submit(asyncio.run, visit()).result()) == 5
