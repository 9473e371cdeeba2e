"""Any sequence of what a person can do leaves the store as a simple model of it says, and across restarts."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from support.store_files import ended, integrity

from desktop.store.records import Conversation, Message, Status
from desktop.store.store import Store

WORDS = ["apple", "Birne", "čerešňa", "日本", "naïve", "x1"]
sentences = st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(" ".join)
ends = st.sampled_from([Status.COMPLETE, Status.STOPPED, Status.FAILED])
pick = st.integers(min_value=0, max_value=10_000)


@dataclass
class Node:
    id: int
    parent: int | None
    role: str
    text: str
    status: str


@dataclass
class Tree:
    title: str
    head: int = 0
    trashed: bool = False
    nodes: dict[int, Node] = field(default_factory=dict)

    def siblings(self, node: Node) -> list[int]:
        return sorted(other.id for other in self.nodes.values() if other.parent == node.parent)

    def path(self) -> list[int]:
        upwards = []
        current: int | None = self.head
        while current is not None:
            upwards.append(current)
            current = self.nodes[current].parent
        return upwards[::-1]

    def newest_below(self, node_id: int) -> int:
        children = [node.id for node in self.nodes.values() if node.parent == node_id]
        return max([node_id, *(self.newest_below(child) for child in children)])


class StoreMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="alcove-test-")
        self.path = Path(self.folder.name) / "conversations.db"
        self.runner = asyncio.Runner()
        self.trees: dict[int, Tree] = {}
        self.order: list[int] = []  # conversations, the one written to last at the end
        self.store = Store(self.path)
        self.do(self.store.open())

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    def teardown(self) -> None:
        self.do(self.store.close())
        assert integrity(self.path) == []
        self.runner.close()
        self.folder.cleanup()

    # ---- what a person does

    @rule(text=sentences, end=ends)
    def begin(self, text: str, end: Status) -> None:
        added = self.do(self.store.add_turn(None, None, text, "model"))
        self.trees[added[0].id] = Tree(title=text)
        self.take(added, end)

    @precondition(lambda self: self.trees)
    @rule(which=pick, text=sentences, end=ends)
    def go_on(self, which: int, text: str, end: Status) -> None:
        conversation_id, tree = self.tree(which)
        self.take(self.do(self.store.add_turn(conversation_id, tree.head, text, "model")), end)

    @precondition(lambda self: self.trees)
    @rule(which=pick, message=pick, text=sentences, end=ends)
    def ask_differently(self, which: int, message: int, text: str, end: Status) -> None:
        conversation_id, tree = self.tree(which)
        question = self.node(tree, message, "user")
        self.take(self.do(self.store.add_turn(conversation_id, question.parent, text, "model")), end)

    @precondition(lambda self: self.trees)
    @rule(which=pick, message=pick, end=ends)
    def answer_again(self, which: int, message: int, end: Status) -> None:
        _, tree = self.tree(which)
        question = self.node(tree, message, "user")
        self.take(self.do(self.store.add_reply(question.id, "model")), end)

    @precondition(lambda self: self.trees)
    @rule(which=pick, message=pick, branch=pick)
    def switch(self, which: int, message: int, branch: int) -> None:
        _, tree = self.tree(which)
        node = list(tree.nodes.values())[message % len(tree.nodes)]
        siblings = tree.siblings(node)
        number = branch % len(siblings) + 1
        conversation = self.do(self.store.switch_branch(node.id, number))
        tree.head = tree.newest_below(siblings[number - 1])
        assert conversation.head_id == tree.head

    @precondition(lambda self: self.trees)
    @rule(which=pick, title=sentences)
    def rename(self, which: int, title: str) -> None:
        conversation_id, tree = self.tree(which)
        self.do(self.store.rename(conversation_id, title))
        tree.title = title

    @precondition(lambda self: self.trees)
    @rule(which=pick)
    def trash_or_undo(self, which: int) -> None:
        conversation_id, tree = self.tree(which)
        self.do(self.store.restore(conversation_id) if tree.trashed else self.store.trash(conversation_id))
        tree.trashed = not tree.trashed

    @rule()
    def empty_the_trash(self) -> None:
        gone = [conversation_id for conversation_id, tree in self.trees.items() if tree.trashed]
        assert self.do(self.store.purge_trash(float("inf"))) == len(gone)
        for conversation_id in gone:
            del self.trees[conversation_id]
            self.order.remove(conversation_id)

    @rule()
    def restart(self) -> None:
        self.do(self.store.close())
        self.store = Store(self.path)
        self.do(self.store.open())
        assert self.do(self.store.mark_interrupted()) == 0

    # ---- what must then be so

    @invariant()
    def the_list_is_right(self) -> None:
        shown = [conversation.id for conversation in self.do(self.store.conversations())]
        assert shown == [found for found in reversed(self.order) if not self.trees[found].trashed]
        in_trash = {conversation.id for conversation in self.do(self.store.trashed_conversations())}
        assert in_trash == {found for found, tree in self.trees.items() if tree.trashed}

    @invariant()
    def every_branch_is_right(self) -> None:
        for conversation_id, tree in self.trees.items():
            messages: list[Message] = self.do(self.store.path(conversation_id))
            assert [message.id for message in messages] == tree.path()
            for count in (1, 3, 1000):
                assert self.do(self.store.newest(conversation_id, count)) == messages[-count:]
            for message in messages:
                node = tree.nodes[message.id]
                siblings = tree.siblings(node)
                assert (message.text, message.role, message.status) == (node.text, node.role, node.status)
                assert (message.branch, message.branches) == (siblings.index(node.id) + 1, len(siblings))

    @invariant()
    def search_is_in_step(self) -> None:
        for word in WORDS:
            hits = self.do(self.store.search(word, limit=100_000))
            expected: set[tuple[int, int | None]] = set()
            for conversation_id, tree in self.trees.items():
                if tree.trashed:
                    continue
                if word in tree.title.split():
                    expected.add((conversation_id, None))
                expected |= {(conversation_id, n.id) for n in tree.nodes.values() if word in n.text.split()}
            assert {(hit.conversation_id, hit.message_id) for hit in hits} == expected

    # ---- the model

    def tree(self, which: int) -> tuple[int, Tree]:
        conversation_id = list(self.trees)[which % len(self.trees)]
        return conversation_id, self.trees[conversation_id]

    @staticmethod
    def node(tree: Tree, which: int, role: str) -> Node:
        nodes = [node for node in tree.nodes.values() if node.role == role]
        return nodes[which % len(nodes)]

    def take(self, added: tuple[Conversation, Message, Message], end: Status) -> None:
        conversation, question, answer = added
        assert answer.status is Status.STREAMING
        assert conversation.head_id == answer.id
        text = f"{question.text} x1"
        self.do(self.store.save_progress(ended(answer, question.text, Status.STREAMING)))
        self.do(self.store.finish(ended(answer, text, end)))
        tree = self.trees[conversation.id]
        tree.nodes[question.id] = Node(question.id, question.parent_id, "user", question.text, "complete")
        tree.nodes[answer.id] = Node(answer.id, question.id, "assistant", text, end)
        tree.head = answer.id
        self.order = [*(found for found in self.order if found != conversation.id), conversation.id]


def test_whatever_a_person_does_the_store_is_as_the_model_says() -> None:
    run_state_machine_as_test(
        StoreMachine,
        settings=settings(
            max_examples=25,
            stateful_step_count=25,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
