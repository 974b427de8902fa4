"""The Space at work: `python tests/space/load.py [MOVES]` starts it and drags its noise slider as browsers would.

Each visitor speaks gradio's protocol as the page does: a move is posted, and then what follows it (strip, histograms,
metrics), whose answer comes over a stream of events. The next move follows when all is there, at most twenty a second;
a page asks for less, since it waits until the slider rests. What is timed is the answer with the images. All traffic
stays on 127.0.0.1; the script ends by itself, in about ten minutes.

Prints, as a table: what a move costs the server, how long twenty visitors at once wait, what the server's memory does
over their moves (500 each, or MOVES), both of these while fifty others train, one after the other, and what the memory
does over 2,000 visitors (or --visitors), one after the other, who open the page, move a slider and close it.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import time
import uuid
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.space.server import Server, in_words, resident_mb, running_space

WARM_UP, MOVES_ALONE = 30, 300
VISITORS, MOVES_EACH = 20, 500
TRAININGS, MOMENTS = 50, 4
IN_TURN = 2000
PAUSE = 0.05  # seconds between two moves of a hand
PATIENCE = 30.0  # seconds for one answer
LONGEST = 1800.0  # seconds for the whole script


class Page:
    """What the config says of the English page: its controls with their first values, and what listens to them."""

    def __init__(self, config: dict[str, Any]) -> None:
        english = config["page"][""]
        parts = [part for part in config["components"] if part["id"] in english["components"]]
        self.parts = {part["id"]: part for part in parts}
        self.values = {part["id"]: part["props"].get("value") for part in parts}
        self.ids = {part["props"].get("elem_id"): part["id"] for part in parts}
        self.dependencies = [d for d in config["dependencies"] if d["id"] in english["dependencies"]]

    def listeners(self, component: int, event: str) -> list[dict[str, Any]]:
        """The dependency that an event of a component triggers, and those that follow it, in their order."""
        found = [next(d for d in self.dependencies if [component, event] in map(list, d["targets"]))]
        while after := [d for d in self.dependencies if d["trigger_after"] == found[-1]["id"] and d["backend_fn"]]:
            found += after
        return found

    def button(self, words: str) -> int:
        """The button on which these words stand."""
        return next(i for i, value in self.values.items() if value == words)


class Visitor:
    """One open page. Its digit and its noise are its own, so that no answer serves two visitors."""

    def __init__(self, client: httpx.AsyncClient, page: Page) -> None:
        self.client = client
        self.page = page
        self.values = dict(page.values)
        self.session = uuid.uuid4().hex[:11]

    async def choose(self, method: str) -> None:
        """Any digit, any noise, and a sparsity method."""
        await self.send(self.page.button("Any digit"), "click")
        await self.send(self.page.button("New noise"), "click")
        self.values[self.page.ids["method"]] = method
        await self.send(self.page.ids["method"], "input")

    async def drag(self, moves: int, done: list[float]) -> None:
        """Move the noise slider so many times; the seconds of each go to `done`.

        Raises:
            httpx.HTTPError, ValueError: a move that was rejected, or not answered with images.
        """
        noise = self.page.ids["noise"]
        for _ in range(moves):
            self.values[noise] = random.choice([i / 100 for i in range(101) if i / 100 != self.values[noise]])
            began = time.perf_counter()
            html, seconds = await self.send(self.page.ids["draw-see"], "input")
            await self.send(self.page.ids["draw-see-rest"], "input")
            if html.count("<img") < 4:
                raise ValueError(f"A move was answered with {html[:200]!r}.")
            done.append(seconds)
            await asyncio.sleep(max(0.0, PAUSE - (time.perf_counter() - began)))

    async def send(self, component: int, event: str) -> tuple[str, float]:
        """Trigger an event as the page does, with what follows it, and return all that it shows.

        Also returns the seconds until the first answer.
        """
        began, seconds, shown = time.perf_counter(), 0.0, ""
        for listener in self.page.listeners(component, event):
            body = {
                "data": [self.values[i] for i in listener["inputs"]],
                "fn_index": listener["id"],
                "trigger_id": component,
                "session_hash": self.session,
            }
            where = "queue/join?" if listener["queue"] else "run/predict"
            joined = await self.client.post(f"/gradio_api/{where}", json=body)
            joined.raise_for_status()
            answer = await self.answer(joined.json()["event_id"]) if listener["queue"] else joined.json()["data"]
            seconds = seconds or time.perf_counter() - began
            for i, value in zip(listener["outputs"], answer, strict=True):
                if isinstance(value, dict):
                    self.values[i] = value.get("value", self.values[i])
                elif value is not None:
                    self.values[i] = value
            shown += "".join(value for value in answer if isinstance(value, str))
        return shown, seconds

    async def train(self, moments: int) -> None:
        """Start a training, see so many moments of it, and leave."""
        (listener,) = self.page.listeners(self.page.ids["train-start"], "click")
        body = {"data": [self.values[i] for i in listener["inputs"]], "fn_index": listener["id"]}
        joined = await self.client.post("/gradio_api/queue/join?", json=body | {"session_hash": self.session})
        joined.raise_for_status()
        query = {"session_hash": self.session}
        async with self.client.stream("GET", "/gradio_api/queue/data", params=query) as stream:
            async for line in stream.aiter_lines():
                message = json.loads(line[5:]) if line.startswith("data:") else {}
                if message.get("msg") == "process_completed":
                    raise ValueError(f"A training ended too soon: {message}")
                moments -= message.get("msg") == "process_generating"
                if not moments:
                    return

    async def visit(self) -> None:
        """Open the page as a browser does, move the noise slider once, and close the page."""
        (await self.client.get("/?lang=en")).raise_for_status()
        async with self.client.stream("GET", f"/gradio_api/heartbeat/{self.session}") as open_page:
            await anext(open_page.aiter_lines())
            await self.send(self.page.ids["link"], "input")  # which does as the opening of a link
            await self.drag(1, [])

    async def answer(self, event_id: str) -> list[Any]:
        """The outputs of one event. The server ends the stream when nothing is under way any more."""
        query = {"session_hash": self.session}
        async with self.client.stream("GET", "/gradio_api/queue/data", params=query) as stream:
            completed = None
            async for line in stream.aiter_lines():
                message = json.loads(line[5:]) if line.startswith("data:") else {}
                if message.get("msg") == "process_completed" and message["event_id"] == event_id:
                    completed = message
        if completed is None or not completed["success"]:
            raise ValueError(f"A move was not answered: {completed}")
        return completed["output"]["data"]


def cpu_seconds(pid: int) -> float:
    """CPU time of a process so far, in user and in system mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measure(server: Server, moves: int, in_turn: int) -> list[BaseException]:
    """Print the table; what went wrong, if anything did, is returned."""
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=server.address, timeout=PATIENCE, limits=limits) as client:
        page = Page((await client.get("/config")).json())
        row("server memory, at start", f"{resident_mb(server.pid):.0f} MB")
        await measure_one(server, Visitor(client, page), "l1", "eight models side by side")
        await measure_one(server, Visitor(client, page), "kl-image", "four models side by side")
        failed = await measure_many(server, [Visitor(client, page) for _ in range(VISITORS)], moves)
        await measure_trainings(server, client, page)
        await measure_in_turn(server, client, page, in_turn)
        return failed


async def measure_one(server: Server, visitor: Visitor, method: str, what: str) -> None:
    await visitor.choose(method)
    await visitor.drag(WARM_UP, [])
    done: list[float] = []
    before = cpu_seconds(server.pid)
    await visitor.drag(MOVES_ALONE, done)
    cost = (cpu_seconds(server.pid) - before) / MOVES_ALONE
    row(f"one visitor, {what}", f"{1000 * cost:.1f} ms of CPU per move, answer after {in_words(done)}")


async def measure_many(server: Server, visitors: list[Visitor], moves: int) -> list[BaseException]:
    await asyncio.gather(*(visitor.choose("l1") for visitor in visitors))
    done: list[float] = []
    memory = [resident_mb(server.pid)]
    before, began = cpu_seconds(server.pid), time.perf_counter()
    drags = [asyncio.create_task(visitor.drag(moves, done)) for visitor in visitors]
    while not all(drag.done() for drag in drags):
        await asyncio.sleep(0.02)
        if len(done) >= 1000 * len(memory):
            memory.append(resident_mb(server.pid))
    cost = (cpu_seconds(server.pid) - before) / max(len(done), 1)
    rate = len(done) / (time.perf_counter() - began)
    row(f"{len(visitors)} visitors at once, eight models each", f"answer after {in_words(done)}")
    row("all together", f"{rate:.0f} moves a second, {1000 * cost:.1f} ms of CPU per move")
    row("moves answered", f"{len(done):,} of {len(visitors) * moves:,}")
    row("server memory, after 0, 1,000, 2,000 … of these moves", ", ".join(f"{mb:.0f}" for mb in memory) + " MB")
    return [error for drag in drags if (error := drag.exception())]


async def measure_trainings(server: Server, client: httpx.AsyncClient, page: Page) -> None:
    done: list[float] = []
    memory = [resident_mb(server.pid)]
    other = asyncio.create_task(Visitor(client, page).drag(10**9, done))
    for number in range(1, TRAININGS + 1):
        await Visitor(client, page).train(MOMENTS)
        if number % 10 == 0:
            memory.append(resident_mb(server.pid))
    other.cancel()
    row(f"one visitor, while {TRAININGS} others train", f"answer after {in_words(done)}")
    row("server memory, after 0, 10, 20 … of these trainings", ", ".join(f"{mb:.0f}" for mb in memory) + " MB")


async def measure_in_turn(server: Server, client: httpx.AsyncClient, page: Page, visitors: int) -> None:
    memory = [resident_mb(server.pid)]
    before = cpu_seconds(server.pid)
    for number in range(1, visitors + 1):
        await Visitor(client, page).visit()
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


def main(
    moves: Annotated[int, typer.Argument(min=50, help="Of each of twenty visitors.")] = MOVES_EACH,
    visitors: Annotated[int, typer.Option(min=1, help="One after the other.")] = IN_TURN,
) -> None:
    """Put the Space to work, and print how it does."""
    with running_space() as server:
        print(f"| {machine()}; server and visitors together | |\n|---|---|")
        try:
            failed = asyncio.run(asyncio.wait_for(measure(server, moves, visitors), LONGEST))
        except TimeoutError:
            sys.exit(f"Stopped: this took more than {LONGEST:.0f} s.")
    if failed:
        sys.exit(f"{len(failed)} visitors were let down, the first like this: {failed[0]!r}")


if __name__ == "__main__":
    typer.run(main)
