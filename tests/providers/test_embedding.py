"""Texts become vectors that are right, of length 1 and always the same, in a locked child; other models are refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest
from support.gguf_embedding import expected_vector, write_bert
from support.gguf_files import write_encoder, write_model
from support.loops import in_a_loop
from support.workers import engine_with, starter

from desktop.local_models import make_embedding_model
from desktop.words.models import model_fault
from models.runtime.faults import Fault, RuntimeFault
from providers.embedding import Embeddings
from providers.errors import ProviderError

TEXTS = ["the cat sat on the mat .", "the dog ran far .", "cat"]


async def embedded(path: Path, texts: list[str]) -> Embeddings:
    model = make_embedding_model(path)
    try:
        return await model.embed(texts)
    finally:
        await model.close()


async def refusal(path: Path) -> ProviderError:
    with pytest.raises(ProviderError) as raised:
        await embedded(path, ["text"])
    return raised.value


@in_a_loop
async def test_vectors_are_those_that_the_model_means(tmp_path: Path) -> None:
    weights = write_bert(tmp_path / "bert.gguf")
    found = await embedded(tmp_path / "bert.gguf", TEXTS)
    for text, vector in zip(TEXTS, found.vectors, strict=True):
        assert np.allclose(vector, expected_vector(weights, text), atol=0.005), text
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-6)
    assert found.cut == () and found.tokens == sum(len(text.split()) + 2 for text in TEXTS)


@in_a_loop
async def test_the_same_texts_give_the_same_vectors_and_others_beside_them_change_nothing(
    tmp_path: Path,
) -> None:
    write_bert(tmp_path / "bert.gguf")
    model = make_embedding_model(tmp_path / "bert.gguf")
    try:
        many = [*TEXTS, "", *("the dog sat" for _ in range(90))]
        first, again, alone = await model.embed(many), await model.embed(many), await model.embed(TEXTS[1:2])
    finally:
        await model.close()
    assert len(first.vectors) == len(many) and first == again
    assert np.allclose(first.vectors[1], alone.vectors[0], atol=1e-5)
    assert np.allclose(first.vectors[4], first.vectors[-1], atol=1e-5)


@in_a_loop
async def test_a_text_longer_than_the_model_reads_is_cut_and_told(tmp_path: Path) -> None:
    weights = write_bert(tmp_path / "bert.gguf", context=16)
    long = " ".join(["dog"] * 500)
    found = await embedded(tmp_path / "bert.gguf", ["cat", long, "dog"])
    assert found.cut == (1,) and found.tokens == 3 + 16 + 3
    cut = " ".join(["dog"] * 14)  # with the tokens that begin and end a text
    assert np.allclose(found.vectors[1], expected_vector(weights, cut), atol=0.005)


@in_a_loop
async def test_how_vectors_are_pooled_is_the_files_word(tmp_path: Path) -> None:
    vectors = {}
    for pooling in (1, 2, None):
        write_bert(tmp_path / "bert.gguf", pooling=pooling)
        vectors[pooling] = (await embedded(tmp_path / "bert.gguf", TEXTS)).vectors
    assert vectors[None] == vectors[1] != vectors[2]


@in_a_loop
async def test_a_decoder_that_says_how_it_pools_gives_vectors_too(tmp_path: Path) -> None:
    path = write_model(tmp_path / "decoder.gguf", template=None, numbers={"pooling_type": 3})
    model = make_embedding_model(path)
    try:
        opened = await model.load()
        found = await model.embed(["Hello", "Hello", "<|im_end|>"])
    finally:
        await model.close()
    assert (opened.width, opened.pooling) == (64, "last")
    assert np.allclose(found.vectors[0], found.vectors[1], atol=1e-5) and found.vectors[0] != found.vectors[2]
    assert found.tokens == 5 + 5 + len("<|im_end|>")  # what looks like a control token is text


@in_a_loop
async def test_chat_models_rerankers_and_broken_files_are_sentences(tmp_path: Path) -> None:
    for other in (starter(), write_model(tmp_path / "rank.gguf", numbers={"pooling_type": 4})):
        error = await refusal(other)
        assert error.kind is Fault.NOT_AN_EMBEDDING_MODEL
        text = model_fault(error.kind, error.detail, error.facts, str(other)).text
        assert other.name in text and "embedding model" in text
    assert (await refusal(tmp_path / "none.gguf")).kind is Fault.FILE_MISSING
    assert (await refusal(write_encoder(tmp_path / "encoder.gguf"))).kind is Fault.DAMAGED
    write_bert(tmp_path / "bert.gguf", layers=1)
    absurd = (tmp_path / "bert.gguf").read_bytes().replace(
        b"bert.block_count\4\0\0\0\1\0\0\0", b"bert.block_count\4\0\0\0\1\2\0\0"
    )  # fmt: skip
    (tmp_path / "absurd.gguf").write_bytes(absurd)
    assert (await refusal(tmp_path / "absurd.gguf")).kind is Fault.DAMAGED
    with pytest.raises(RuntimeFault) as raised:
        async with engine_with(tmp_path / "bert.gguf"):
            pass
    assert raised.value.fault is Fault.NOT_A_CHAT_MODEL


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes as Linux has them")
@in_a_loop
async def test_a_child_that_dies_is_followed_by_another(tmp_path: Path) -> None:
    write_bert(tmp_path / "bert.gguf")
    model = make_embedding_model(tmp_path / "bert.gguf")
    try:
        first = await model.embed(TEXTS)
        (child,) = [one for one in psutil.Process().children() if "embedder" in one.cmdline()]
        child.kill()
        with pytest.raises(ProviderError) as raised:
            await model.embed(TEXTS)
        assert raised.value.kind is Fault.WORKER_STOPPED
        assert await model.embed(TEXTS) == first
    finally:
        await model.close()


def test_the_command_line_prints_vectors_for_scripts(tmp_path: Path, alcove_home: Path) -> None:
    write_bert(tmp_path / "bert.gguf", context=8)
    command = [sys.executable, "-X", "utf8", "-m", "desktop", "models", "embed", str(tmp_path / "bert.gguf")]
    environ = {**os.environ, "ALCOVE_HOME": str(alcove_home)}
    done = subprocess.run(
        [*command, "cat", "dog " * 50], capture_output=True, text=True, check=True, env=environ
    )
    record = json.loads(done.stdout)
    assert (record["width"], record["pooling"], record["cut"]) == (64, "mean", [1])
    assert len(record["vectors"]) == 2 and "Text 2 is longer than the 8 tokens" in done.stderr
    command[-1] = str(starter())
    refused = subprocess.run([*command, "cat"], capture_output=True, text=True, env=environ, check=False)
    assert refused.returncode == 1 and "embedding model" in refused.stderr and not refused.stdout
