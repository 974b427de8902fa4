"""The Space at work: `python tests/space/load.py` starts it and puts visitors before it, all on this machine.

A visitor's browser computes by itself, so what a visit costs the server is what it fetches. Prints, as a table: how
long each of 20 waits who open the page at once; what 200 visitors cost while they move their sliders for a minute (each
keeps the connection that tells Gradio that it is there); and what the server's memory does over 50 trainings, and over
2,000 visitors (or --visitors), one after the other.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
import uuid
from pathlib import Path
from typing import Annotated

import httpx
import typer

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.space.events import Client
from tests.space.server import Server, in_words, resident_mb, running_space

AT_ONCE, MOVING, SECONDS = 20, 200, 60
TRAININGS, MOMENTS = 50, 4
IN_TURN = 2000
PATIENCE = 60.0  # seconds for one answer
LONGEST = 1800.0  # seconds for the whole script


class Visitor:
    """One browser: it fetches what the page fetches until it shows an image with its own weights."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.session = uuid.uuid4().hex[:11]

    async def open(self) -> float:
        """Open the page; returns the seconds until all is there that the first image needs."""
        began = time.perf_counter()
        await self.get("/")
        index = (await self.get("/files/lab.json")).json()
        stop = index["stops"][index["opening"]["stop"]]
        weights = index["models"][stop["model"]]["url"]
        await asyncio.gather(*(self.get(f"/files/{name}") for name in ("words/en.json", weights)))
        seconds = time.perf_counter() - began
        beside = index["stops"][index["opening"]["beside"]]["model"]
        for address in (index["images"]["url"], index["labels"]["url"], index["models"][beside]["url"]):
            await self.get(f"/files/{address}")
        return seconds

    async def get(self, address: str) -> httpx.Response:
        """Fetch a file.

        Raises:
            httpx.HTTPError: it could not be had.
        """
        response = await self.client.get(address)
        response.raise_for_status()
        return response

    async def stay(self, seconds: float) -> None:
        """Keep the page open: its sliders ask the server for nothing, the heartbeat goes on."""
        async with self.client.stream("GET", f"/gradio_api/heartbeat/{self.session}") as beats:
            try:
                async with asyncio.timeout(seconds):
                    async for _ in beats.aiter_lines():
                        pass
            except TimeoutError:
                pass


def train(address: str, moments: int) -> None:
    """Start a training, see so many moments of it, and leave."""
    visitor = Client(address)
    for message in visitor.messages("run", visitor.settings(size=400)):
        if message["msg"] == "process_completed":
            raise ValueError(f"A training ended too soon: {message}")
        moments -= message["msg"] == "process_generating"
        if not moments:
            return


def cpu_seconds(pid: int) -> float:
    """CPU time of a process so far, in user and in system mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measure(server: Server, visitors: int) -> None:
    """Print the table."""
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=server.address, timeout=PATIENCE, limits=limits) as client:
        row("server memory, at start", f"{resident_mb(server.pid):.0f} MB")
        await Visitor(client).open()  # files are read once
        await measure_at_once(client)
        await measure_moving(server, client)
        await measure_trainings(server)
        await measure_in_turn(server, client, visitors)


async def measure_at_once(client: httpx.AsyncClient) -> None:
    seconds = await asyncio.gather(*(Visitor(client).open() for _ in range(AT_ONCE)))
    row(
        f"{AT_ONCE} page loads at once",
        f"all for the first image after {in_words(seconds)}, at most {max(seconds):.1f} s",
    )


async def measure_moving(server: Server, client: httpx.AsyncClient) -> None:
    visitors = [Visitor(client) for _ in range(MOVING)]
    staying = [asyncio.create_task(visitor.stay(SECONDS + 5)) for visitor in visitors]
    await asyncio.sleep(5)
    before = cpu_seconds(server.pid)
    await asyncio.sleep(SECONDS)
    share = (cpu_seconds(server.pid) - before) / SECONDS
    await asyncio.gather(*staying)
    row(f"{MOVING} visitors moving sliders for {SECONDS} s", f"{share:.1%} of one core")


async def measure_trainings(server: Server) -> None:
    memory = [resident_mb(server.pid)]
    for number in range(1, TRAININGS + 1):
        await asyncio.to_thread(train, server.address, MOMENTS)
        if number % 10 == 0:
            memory.append(resident_mb(server.pid))
    row("server memory, after 0, 10, 20 … trainings", ", ".join(f"{mb:.0f}" for mb in memory) + " MB")


async def measure_in_turn(server: Server, client: httpx.AsyncClient, visitors: int) -> None:
    memory = [resident_mb(server.pid)]
    before = cpu_seconds(server.pid)
    for number in range(1, visitors + 1):
        visitor = Visitor(client)
        await visitor.open()
        await visitor.stay(0.02)
        if number % 200 == 0:
            memory.append(resident_mb(server.pid))
    cost = (cpu_seconds(server.pid) - before) / visitors
    row(f"{visitors:,} visitors, one after the other", f"{1000 * cost:.0f} ms of CPU each")
    row("server memory, after 0, 200, 400 … of these visitors", ", ".join(f"{mb:.0f}" for mb in memory) + " MB")


def row(what: str, value: str) -> None:
    print(f"| {what} | {value} |", flush=True)


def machine() -> str:
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return f"{len(os.sched_getaffinity(0))} cores of {names[0].partition(':')[2].strip() if names else 'a machine'}"


def main(visitors: Annotated[int, typer.Option(min=1, help="One after the other.")] = IN_TURN) -> None:
    """Put the Space to work, and print how it does."""
    with running_space() as server:
        print(f"| {machine()}; server and visitors together | |\n|---|---|")
        try:
            asyncio.run(asyncio.wait_for(measure(server, visitors), LONGEST))
        except TimeoutError:
            sys.exit(f"Stopped: this took more than {LONGEST:.0f} s.")


if __name__ == "__main__":
    typer.run(main)
