"""The command line, as other programs and people in a terminal use it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.gguf_files import write_adapter, write_model
from support.vision_files import IMAGE_TOKENS, png, write_projector


def alcove(home: Path, *arguments: str, stdin: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "desktop", *arguments],
        input=stdin,
        env={"PATH": os.environ["PATH"], "HOME": str(home), "ALCOVE_HOME": str(home / "alcove"), **environ},
        capture_output=True,
        text=True,
        timeout=280,
    )


def test_ask_streams_an_answer_to_standard_output_and_stores_nothing(tmp_path: Path) -> None:
    done = alcove(tmp_path, "ask", "What is the capital of France?", "--seed", "1", "--max-tokens", "30")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.split()) > 3
    assert not (tmp_path / "alcove" / "conversations.db").exists()


def test_the_same_seed_gives_the_same_answer(tmp_path: Path) -> None:
    ask = ("ask", "Tell me a joke.", "--seed", "7", "--max-tokens", "20", "--json")
    first, second = alcove(tmp_path, *ask), alcove(tmp_path, *ask)
    assert first.returncode == 0
    assert json.loads(first.stdout)["answer"] == json.loads(second.stdout)["answer"]


def test_how_words_are_chosen_can_be_said_and_has_the_limits_of_the_settings(tmp_path: Path) -> None:
    ask = ("ask", "What is the capital of France? One word.", "--temperature", "0", "--max-tokens", "12")
    done = alcove(tmp_path, *ask, "--top-k", "1", "--stop", "aris", "--bias", "London=-100")
    assert (done.returncode, done.stderr) == (0, "")
    assert "P" in done.stdout and "aris" not in done.stdout
    wrong = alcove(tmp_path, *ask, "--top-p", "3")
    assert wrong.returncode == 2 and "--top-p: The largest value is 1." in wrong.stderr


def test_json_tells_the_answer_the_model_and_what_it_took(tmp_path: Path) -> None:
    done = alcove(tmp_path, "ask", "-", "--max-tokens", "5", "--json", stdin="Say hello.")
    told = json.loads(done.stdout)
    assert told["answer"]
    assert "SmolLM2" in told["model"]
    assert told["stop"] in ("length", "stop")
    assert 0 < told["usage"]["generated_tokens"] <= 5


def test_an_answer_can_be_asked_for_as_json_of_a_shape(tmp_path: Path) -> None:
    schema = tmp_path / "shape.json"
    schema.write_text(
        '{"type": "object", "properties": {"city": {"enum": ["Paris", "Rome"]}}, "required": ["city"]}'
    )
    done = alcove(tmp_path, "ask", "Where is the Louvre?", "--json-schema", str(schema))
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["city"] in ("Paris", "Rome")


def test_a_grammar_that_does_not_work_is_a_sentence(tmp_path: Path) -> None:
    grammar = tmp_path / "wrong.gbnf"
    grammar.write_text('root ::= "a"\nother ::= "b\n')
    done = alcove(tmp_path, "ask", "Hi", "--grammar", str(grammar))
    assert done.returncode == 1 and "line 2" in done.stderr and done.stdout == ""


def test_adapters_and_their_strength_are_taken_and_a_wrong_one_is_a_sentence(tmp_path: Path) -> None:
    model, adapter = write_model(tmp_path / "tiny.gguf"), write_adapter(tmp_path / "style=1.gguf")
    ask = ("ask", "Hi", "--model", str(model), "--max-tokens", "3", "--grammar", str(tmp_path / "letters"))
    (tmp_path / "letters").write_text("root ::= [a-z]{9}")
    for given in (f"{adapter}=0.5", str(adapter)):
        done = alcove(tmp_path, *ask, "--adapter", given)
        assert (done.returncode, len(done.stdout.strip())) == (0, 3), done.stderr
    other = write_adapter(tmp_path / "other.gguf", architecture="qwen2")
    done = alcove(tmp_path, *ask, "--adapter", str(adapter), "--adapter", str(other))
    assert done.returncode == 1 and "other.gguf was made for another model" in done.stderr


def test_a_saved_question_is_listed_among_the_conversations(tmp_path: Path) -> None:
    done = alcove(tmp_path, "ask", "Remember the milk", "--save", "--max-tokens", "5")
    assert done.returncode == 0, done.stderr
    listed = json.loads(alcove(tmp_path, "conversations", "--json").stdout)
    assert [conversation["title"] for conversation in listed] == ["Remember the milk"]
    assert "Remember the milk" in alcove(tmp_path, "conversations").stdout


def test_an_image_is_shown_to_a_model_that_sees_and_refused_by_one_that_does_not(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    model = write_model(folder / "tiny.gguf")
    image = tmp_path / "square.png"
    image.write_bytes(png())
    ask = (
        "ask",
        "What is this?",
        "--model",
        str(model),
        "--image",
        str(image),
        "--max-tokens",
        "3",
        "--json",
    )
    refused = alcove(tmp_path, *ask)
    assert refused.returncode == 1
    assert "tiny.gguf can't see images." in refused.stderr
    write_projector(folder / "mmproj-tiny.gguf", width=64)
    seen = alcove(tmp_path, *ask, "--save")
    assert seen.returncode == 0, seen.stderr
    assert json.loads(seen.stdout)["usage"]["prompt_tokens"] > IMAGE_TOKENS


def test_no_conversations_is_not_a_failure_and_makes_no_file(tmp_path: Path) -> None:
    done = alcove(tmp_path, "conversations", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (0, [])
    assert not (tmp_path / "alcove").exists()


def test_models_lists_the_starter_model(tmp_path: Path) -> None:
    (model,) = json.loads(alcove(tmp_path, "models", "--json").stdout)
    assert "SmolLM2" in model["name"]
    assert model["problem"] == ""


def test_doctor_says_that_the_lock_holds_and_the_model_loads(tmp_path: Path) -> None:
    done = alcove(tmp_path, "doctor", "--json", QT_QPA_PLATFORM="offscreen")
    findings = {finding["topic"]: finding for finding in json.loads(done.stdout)}
    assert done.returncode == 0
    assert findings["Network lock"]["works"]
    assert findings["Starter model"]["works"]


@pytest.mark.parametrize(
    "wrong",
    [["ask"], ["ask", "Hi", "--max-tokens", "0"], ["ask", "Hi", "--seed", "x"], ["fly"], ["ask", " "]],
)
def test_wrong_usage_is_said_and_exits_with_2(tmp_path: Path, wrong: list[str]) -> None:
    done = alcove(tmp_path, *wrong)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr


def test_a_missing_model_file_is_a_sentence_and_exits_with_1(tmp_path: Path) -> None:
    done = alcove(tmp_path, "ask", "Hi", "--model", str(tmp_path / "gone.gguf"))
    assert done.returncode == 1
    assert "gone.gguf is not there" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_that_is_no_model_is_a_sentence_and_exits_with_1(tmp_path: Path) -> None:
    (tmp_path / "letter.gguf").write_text("Dear Sir or Madam")
    done = alcove(tmp_path, "ask", "Hi", "--model", str(tmp_path / "letter.gguf"))
    assert done.returncode == 1
    assert "not a model" in done.stderr


def test_without_a_display_the_window_says_so_and_offers_the_terminal(tmp_path: Path) -> None:
    done = alcove(tmp_path)
    assert done.returncode == 1
    assert "alcove ask" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_goes_away_ends_it_quietly(tmp_path: Path) -> None:
    command = f'"{sys.executable}" -m desktop ask "Count to one hundred" --max-tokens 60 | head -c 1'
    done = subprocess.run(
        command,
        shell=True,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "ALCOVE_HOME": str(tmp_path / "alcove")},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert len(done.stdout) == 1
    assert "Traceback" not in done.stderr


@pytest.mark.timeout(300)
def test_bench_tells_how_fast_a_model_is_and_what_it_takes(tmp_path: Path) -> None:
    done = alcove(tmp_path, "bench", "--json")
    (speed,) = json.loads(done.stdout)
    assert speed["device"] == "CPU"
    assert speed["prompt_rate"] > speed["generation_rate"] > 0
    assert speed["memory_bytes"] > 100_000_000  # at least its weights
    assert speed["prompt_tokens"] > 256


def test_models_are_recommended_for_a_purpose_with_licence_and_where_to_get_them(tmp_path: Path) -> None:
    listed = json.loads(alcove(tmp_path, "models", "recommend", "--purpose", "embeddings", "--json").stdout)
    assert all("embeddings" in row["purposes"] and row["licence_words"] and row["source"] for row in listed)
    told = alcove(tmp_path, "models", "recommend", "--purpose", "embeddings")
    assert told.returncode == 0 and f"alcove models pull {listed[0]['repo']}" in told.stdout
    assert alcove(tmp_path, "models", "recommend", "--purpose", "poetry").returncode == 2
