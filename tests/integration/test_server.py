"""The server gives what the artifacts give, for any mix of requests, in each interface's shape."""

from __future__ import annotations

import asyncio
import json
import threading

import httpx
import numpy as np
import pytest
from serving import HeldEngine, item, served

import headwise
from headwise.server.app import Operation, make_app
from headwise.server.keys import Keys
from headwise.server.settings import BatchSettings, RequestLimits
from headwise.server.shelf import ArtifactPath, load_shelf

CLOSE = {"rtol": 0, "atol": 1e-5}
CHAT = "<|im_start|>user\nquestion 1?<|im_end|>\n<|im_start|>assistant\nan answer<|im_end|>\n"


@pytest.fixture(scope="module")
def task_folder(tmp_path_factory, tiny_engine):
    folder = tmp_path_factory.mktemp("task") / "echo"
    shots = [headwise.Example(f"in {n}", label=f"out {n}") for n in range(6)]
    method = headwise.TaskVectors(selector=headwise.Reinforce(epochs=2))
    method.fit(tiny_engine, shots).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def engine(model_folder):
    return headwise.load(str(model_folder))


@pytest.fixture(scope="module")
def folders(scalar_folder, ranked_folder, classifier_folder):
    return f"good={scalar_folder}", f"better={ranked_folder}", f"topics={classifier_folder}"


@pytest.fixture(scope="module")
def client(engine, folders):
    with served(engine, *folders) as client:
        yield client


@pytest.fixture(scope="module")
def offline(engine, scalar_folder, ranked_folder, classifier_folder):
    return {
        name: headwise.from_pretrained(folder, engine=engine)
        for name, folder in (
            ("good", scalar_folder),
            ("better", ranked_folder),
            ("topics", classifier_folder),
        )
    }


def answered(response):
    assert response.status_code == 200, response.text
    return response.json()


def refused(response, status):
    assert response.status_code == status, response.text
    return response.json()["error"]


def test_any_mix_of_concurrent_requests_gives_the_offline_answers(engine, folders, offline):
    chance = np.random.default_rng(0)
    words = ["a", "good", "bad", "long", "answer", "to", "the", "question", "is", "here"]

    def text():
        return " ".join(chance.choice(words, size=int(chance.integers(1, 12))))

    asked = []

    async def one(client, number):
        name = ("good", "better", "topics")[number % 3]
        n = int(chance.integers(2, 6))
        texts = [text() for _ in range(n)]
        # Ranked ones ask the same in many requests: they must not be compared across them.
        prompts = [f"question {number % 2 if name == 'better' else k % 2}?" for k in range(n)]
        await asyncio.sleep(float(chance.uniform(0, 0.05)))
        if name == "topics":
            found = answered(await client.post("/classify", json={"input": texts}))
            values = [entry["probs"] for entry in found["data"]]
        else:
            items = [item(r, p) for p, r in zip(prompts, texts, strict=True)]
            body = {"model": name, "items": items}
            values = answered(await client.post("/v1/rewards", json=body))["rewards"]
        asked.append((name, prompts, texts, values))

    async def all_at_once():
        app = make_app(
            load_shelf([ArtifactPath.read(f) for f in folders], engine),
            Operation(BatchSettings(batch_tokens=600)),
        )
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://x") as client,
        ):
            await asyncio.gather(*(one(client, number) for number in range(36)))

    asyncio.run(all_at_once())
    # Afterwards: a model serves one call at a time.
    assert len(asked) == 36
    for name, prompts, texts, values in asked:
        model = offline[name]
        alone = model.predict_proba(texts) if name == "topics" else model.score(prompts, texts)
        np.testing.assert_allclose(values, alone, **CLOSE)


def test_several_criteria_are_told_apart_and_summed(client, offline):
    items = [item("an answer"), item("no")]
    body = {"criteria": ["good", "better"], "weights": {"good": 3.0}, "items": items}
    found = answered(client.post("/v1/rewards", json=body))
    prompts, responses = ["question 1?"] * 2, ["an answer", "no"]
    by_name = {name: offline[name].score(prompts, responses) for name in ("good", "better")}
    for name, values in by_name.items():
        np.testing.assert_allclose(found["criteria"][name], values, **CLOSE)
    summed = 3 * by_name["good"] + by_name["better"]
    np.testing.assert_allclose(found["rewards"], summed, **CLOSE)


def test_criteria_that_were_saved_together_are_one_model(
    engine, rewards_folder, scalar_folder, offline
):
    together = headwise.from_pretrained(rewards_folder, engine=engine)
    prompts, responses = ["question 1?"] * 2, ["an answer", "no"]
    expected = together.score_each(prompts, responses)
    items = [item(response) for response in responses]
    with served(engine, f"both={rewards_folder}", f"good={scalar_folder}") as client:
        found = answered(client.post("/v1/rewards", json={"model": "both", "items": items}))
        body = {"criteria": ["both", "good"], "weights": {"good": 2.0}, "items": items}
        summed = answered(client.post("/v1/rewards", json=body))
        [told, _] = answered(client.get("/v1/models"))["data"]
        chats = [CHAT.replace("an answer", response) for response in responses]
        logs = answered(client.post("/get_reward?model=both", json={"query": chats}))
        alone = client.post("/v1/rewards", json={"model": "both", "items": items[:1]})
    np.testing.assert_allclose(found["rewards"], expected.rewards, **CLOSE)
    assert set(found["criteria"]) == {"good", "better"}
    for name, values in found["criteria"].items():
        np.testing.assert_allclose(values, expected[name].rewards, **CLOSE)
    good = offline["good"].score(prompts, responses)
    np.testing.assert_allclose(summed["rewards"], expected.rewards + 2 * good, **CLOSE)
    np.testing.assert_allclose(summed["criteria"]["both"], expected.rewards, **CLOSE)
    assert told["headwise"]["method"] == "rewards"
    assert told["headwise"]["criteria"]["better"]["weight"] == -0.5
    np.testing.assert_allclose(logs["rewards"], expected.rewards, **CLOSE)
    np.testing.assert_allclose(
        logs["extra_logs"]["reward_better"], expected["better"].rewards, **CLOSE
    )
    assert "compares responses" in refused(alone, 422)["message"]


def test_a_cut_text_is_told(client):
    found = answered(
        client.post("/v1/rewards", json={"model": "good", "items": [item("x" * 300), item("x")]})
    )
    assert found["truncated"] == [True, False]


def test_openrlhf_gets_its_shape(client, offline):
    asked = CHAT.partition("an answer")[0]
    body = {"query": [CHAT, "Q: hm?answer</s>"], "prompts": [asked, "Q: hm?"], "labels": ["a", "b"]}
    found = answered(client.post("/get_reward?model=good", json=body))
    values = offline["good"].score(["question 1?", "Q: hm?"], ["an answer", "answer"])
    bare = answered(client.post("/get_reward?model=good", json={"query": [CHAT]}))
    np.testing.assert_allclose(bare["rewards"], values[:1], **CLOSE)
    np.testing.assert_allclose(found["rewards"], values, **CLOSE)
    assert found["scores"] == found["rewards"] == found["extra_logs"]["reward_good"]


def test_verl_reads_its_reward_off_classify(client, offline):
    body = {"model": "good", "input": CHAT, "use_activation": False}
    found = answered(client.post("/classify", json=body))
    value = offline["good"].score(["question 1?"], ["an answer"])
    np.testing.assert_allclose(found["data"][-1]["probs"][-1:], value, **CLOSE)
    assert found["data"][0]["num_classes"] == 1


def test_score_and_rerank_are_the_sigmoid_of_rewards(client, offline):
    documents = ["an answer", "bad", "a good answer here"]
    values = offline["good"].score(["question 1?"] * 3, documents)
    expected = 1 / (1 + np.exp(-values))
    body = {"model": "good", "text_1": "question 1?", "text_2": documents}
    for path in ("/score", "/v1/score"):
        found = answered(client.post(path, json=body))
        np.testing.assert_allclose([e["score"] for e in found["data"]], expected, **CLOSE)
    body = {"model": "good", "query": "question 1?", "documents": documents, "top_n": 2}
    for path in ("/rerank", "/v1/rerank", "/v2/rerank"):
        found = answered(client.post(path, json=body))["results"]
        assert [one["index"] for one in found] == np.argsort(-values)[:2].tolist()
        assert found[0]["document"]["text"] == documents[found[0]["index"]]


def test_a_task_vector_answers(engine, task_folder, model_folder, tiny_engine):
    vector = headwise.from_pretrained(task_folder, engine=tiny_engine)
    inputs = ["in 7", "in 8", "in 7"]
    with served(tiny_engine, task_folder) as client:
        body = {"inputs": inputs, "max_new_tokens": 5}
        found = answered(client.post("/generate", json=body))
        greedy = vector.generate(inputs, headwise.Sampling(5, stop=vector.sampling.stop))
        assert [entry["text"] for entry in found["data"]] == greedy
        sampled = {**body, "temperature": 1.0, "seed": 3}
        found = answered(client.post("/generate", json=sampled))
        drawn = headwise.Sampling(5, 1.0, seed=3, stop=vector.sampling.stop)
        assert [entry["text"] for entry in found["data"]] == vector.generate(inputs, drawn)
        told = refused(client.post("/generate", json={**body, "max_new_tokens": 9_999}), 422)
        assert told["field"] == "max_new_tokens"


def test_the_python_client_gives_the_offline_answers(client, offline):
    def carried(request: httpx.Request) -> httpx.Response:
        response = client.request(
            request.method, request.url.path, content=request.content, headers=request.headers
        )
        return httpx.Response(response.status_code, json=response.json())

    asked = headwise.Client("http://x", transport=httpx.MockTransport(carried))
    assert [one.name for one in asked.models()] == ["good", "better", "topics"]
    prompts, responses = ["question 1?"] * 3, ["a", "good", "answer"]
    for name in ("good", "better"):
        values = asked.score(prompts, responses, criteria=name)
        np.testing.assert_allclose(values, offline[name].score(prompts, responses), **CLOSE)
    texts = ["the cat sat", "a dog barks"]
    found = asked.classify(texts)
    assert [one.label for one in found] == offline["topics"].predict(texts)
    best = asked.rerank("question 1?", responses, model="better")
    assert [one.index for one in best] == offline["better"].rank("question 1?", responses)


def test_which_artifact_is_meant_must_be_clear(client):
    assert (
        "good, better"
        in refused(client.post("/v1/rewards", json={"items": [item("x")]}), 422)["message"]
    )
    body = {"model": "topics", "items": [item("x")]}
    assert refused(client.post("/v1/rewards", json=body), 404)["field"] == "model"


def test_probes_description_and_figures(client):
    assert answered(client.get("/health")) == {"status": "ok"}
    assert answered(client.get("/ready")) == {"ready": True}
    assert answered(client.get("/version")) == {"version": headwise.__version__}
    kinds = {m["id"]: m["headwise"]["kind"] for m in answered(client.get("/v1/models"))["data"]}
    assert kinds == {"good": "reward", "better": "reward", "topics": "classifier"}
    assert client.get("/docs").status_code == 200
    assert set(answered(client.get("/openapi.json"))["paths"]) >= {"/v1/rewards", "/get_reward"}
    answered(client.post("/classify", json={"input": "the cat"}))
    text = client.get("/metrics").text
    assert 'headwise_items_total{artifact="topics",outcome="answered"}' in text
    assert 'headwise_requests_total{route="/classify",status="200"}' in text


def test_keys_are_asked_for_where_there_are_any(engine, classifier_folder, monkeypatch, tmp_path):
    monkeypatch.setenv("HEADWISE_API_KEYS", "first-key-1, second-key-2")
    with served(engine, classifier_folder, operation=Operation(keys=Keys.read())) as client:
        body = {"input": "the cat"}
        assert refused(client.post("/classify", json=body), 401)["type"] == "unauthorized"
        for wrong in ("Bearer first-key", "Basic first-key-1", "first-key-1", "Bearer "):
            refused(client.post("/classify", json=body, headers={"Authorization": wrong}), 401)
        for right in ("Bearer first-key-1", "bearer second-key-2"):
            answered(client.post("/classify", json=body, headers={"Authorization": right}))
        refused(client.get("/metrics"), 401)
        answered(client.get("/health"))
    file = tmp_path / "keys"
    file.write_text("\n")
    with pytest.raises(headwise.HeadwiseError, match="has no key"):
        Keys.read(file)


def test_past_the_queue_requests_are_refused_and_none_is_lost(engine, classifier_folder):
    held = HeldEngine(engine)
    operation = Operation(BatchSettings(queue_items=4))
    with served(held, classifier_folder, operation=operation) as client:
        found = []

        def ask():
            found.append(client.post("/classify", json={"input": ["the cat", "the dog"]}))

        threads = [threading.Thread(target=ask) for _ in range(8)]
        threads[0].start()
        assert held.begun.wait(20)
        for thread in threads[1:]:
            thread.start()
        while sum(response.status_code == 429 for response in found) < 5:
            threads[0].join(0.01)
        held.open.set()
        for thread in threads:
            thread.join(20)
        busy = [response for response in found if response.status_code == 429]
        assert all(int(response.headers["retry-after"]) >= 1 for response in busy)
        assert sorted(response.status_code for response in found) == [200] * 3 + [429] * 5


def test_past_the_deadline_the_answer_is_504_and_its_work_is_dropped(engine, classifier_folder):
    held = HeldEngine(engine)
    operation = Operation(limits=RequestLimits(deadline=20.0))
    with served(held, classifier_folder, operation=operation) as client:
        first = threading.Thread(
            target=client.post, args=("/classify",), kwargs={"json": {"input": "the cat"}}
        )
        first.start()
        assert held.begun.wait(20)
        late = client.post(
            "/classify", json={"input": ["a", "b"]}, headers={"X-Deadline-Seconds": "0.05"}
        )
        assert refused(late, 504)["type"] == "deadline_exceeded"
        assert client.app.state.desk.batcher.waiting_items == 0
        held.open.set()
        first.join(20)
        assert held.n_conversations == 1
        for odd in ("soon", "-1", "nan", "inf"):
            headers = {"X-Deadline-Seconds": odd}
            refused(client.post("/classify", json={"input": "a"}, headers=headers), 400)


def test_a_client_that_leaves_frees_its_work(engine, classifier_folder):
    held = HeldEngine(engine)
    app = make_app(load_shelf([ArtifactPath.read(str(classifier_folder))], held))
    body = json.dumps({"input": ["the cat", "the dog"]}).encode()
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/classify",
        "raw_path": b"/classify",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
        "http_version": "1.1",
        "scheme": "http",
        "client": ("x", 1),
        "server": ("x", 80),
    }

    async def ask(leaves: asyncio.Event, sent: list[object]) -> None:
        parts = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive():
            if parts:
                return parts.pop()
            await leaves.wait()
            return {"type": "http.disconnect"}

        async def send(message):
            sent.append(message)

        await app(dict(scope), receive, send)

    async def all_of_it():
        async with app.router.lifespan_context(app):
            never, leaves = asyncio.Event(), asyncio.Event()
            stays, gone = [], []
            first = asyncio.create_task(ask(never, stays))
            while not held.begun.is_set():
                await asyncio.sleep(0.01)
            second = asyncio.create_task(ask(leaves, gone))
            while app.state.desk.batcher.waiting_items < 2:
                await asyncio.sleep(0.01)
            leaves.set()
            await second
            assert app.state.desk.batcher.waiting_items == 0
            held.open.set()
            await first
            return stays, gone

    stays, gone = asyncio.run(all_of_it())
    assert stays[0]["status"] == 200
    assert gone[0]["status"] == 499
    assert held.n_conversations == 2
