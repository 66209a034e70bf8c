"""Opens an exported model in the clients of the environment that runs it.

python probe_model.py INPUTS CLIENT …    INPUTS/expected.json: texts, their ids, logits of the last position
"""

import json
import math
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

from probe_run import inputs, run

warnings.simplefilter("ignore")
EXPECTED = json.loads(Path(inputs(), "expected.json").read_text())
MODEL = str(Path(inputs(), "model"))
TEXTS, IDS, LOGITS = EXPECTED["texts"], EXPECTED["ids"], EXPECTED["logits"]


def tokenizer_ids() -> dict:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(MODEL)
    wrong = sum(tokenizer(text, add_special_tokens=False)["input_ids"] != ids for text, ids in EXPECTED["trials"])
    return {"rows": len(EXPECTED["trials"]), "difference": wrong}


def largest_difference(model) -> dict:
    import torch

    worst = 0.0
    for ids, expected in zip(IDS, LOGITS, strict=True):
        with torch.no_grad():
            found = model(torch.tensor([ids])).logits[0, -1].float()
        worst = max(worst, float((found - torch.tensor(expected)).abs().max()))
    return {"rows": len(IDS), "difference": worst}


def load():
    import torch
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(MODEL, torch_dtype=torch.float32).eval()


def generate() -> dict:
    from transformers import AutoTokenizer

    model, tokenizer = load(), AutoTokenizer.from_pretrained(MODEL)
    wrong = 0
    for text, expected in zip(TEXTS, EXPECTED["continued"], strict=True):
        out = model.generate(**tokenizer(text, return_tensors="pt"), max_new_tokens=12, do_sample=False)
        wrong += out[0].tolist() != expected
    return {"rows": len(TEXTS), "difference": wrong}


def batch() -> dict:
    """Texts of unequal length at once, filled up on the left."""
    from transformers import AutoTokenizer

    model, tokenizer = load(), AutoTokenizer.from_pretrained(MODEL)
    out = model.generate(**tokenizer(TEXTS, return_tensors="pt", padding=True), max_new_tokens=12, do_sample=False)
    wrong = sum(row.tolist()[-len(e) :] != e for row, e in zip(out, EXPECTED["continued"], strict=True))
    return {"rows": len(TEXTS), "difference": wrong}


def peft() -> dict:
    """An adapter that is trained a step, and merged: only then the model differs."""
    import torch
    from peft import LoraConfig, get_peft_model

    model = get_peft_model(load(), LoraConfig(r=4, target_modules=["query_key_value"], task_type="CAUSAL_LM"))
    before = largest_difference(model)
    ids = torch.tensor([IDS[0]])
    model(input_ids=ids, labels=ids).loss.backward()
    torch.optim.SGD([p for p in model.parameters() if p.requires_grad], 1.0).step()
    with torch.no_grad():
        tuned = model(ids).logits
        merged = model.merge_and_unload()(ids).logits
    return {"rows": before["rows"], "difference": max(before["difference"], float((tuned - merged).abs().max()))}


def trl() -> dict:
    """Two steps that change nothing: the loss is what the model makes of the text and the end that is put behind it."""
    from datasets import Dataset
    from transformers import AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    with tempfile.TemporaryDirectory() as folder:
        text, expected = EXPECTED["loss"]
        settings = SFTConfig(
            output_dir=folder, max_steps=2, per_device_train_batch_size=1, max_length=64, report_to=[], use_cpu=True,
            logging_steps=1, save_strategy="no", bf16=False, learning_rate=0.0,
        )  # fmt: skip
        trainer = SFTTrainer(
            model=load(), args=settings, train_dataset=Dataset.from_list([{"text": text}] * 2),
            processing_class=AutoTokenizer.from_pretrained(MODEL),
        )  # fmt: skip
        trainer.train()
        losses = [row["loss"] for row in trainer.state.log_history if "loss" in row]
    return {"rows": len(losses), "difference": max(abs(loss - expected) for loss in losses)}


def lm_eval() -> dict:
    """The likelihood that its harness gives to continuations."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    model = HFLM(pretrained=MODEL, device="cpu", batch_size=1, dtype="float32")
    asked = [
        Instance(request_type="loglikelihood", doc={}, arguments=(context, said), idx=0)
        for context, said, _ in EXPECTED["likelihoods"]
    ]
    found = model.loglikelihood(asked)
    worst = max(abs(one[0] - right) for one, (_, _, right) in zip(found, EXPECTED["likelihoods"], strict=True))
    return {"rows": len(asked), "difference": worst}


def onnx() -> dict:
    """The graph that the documented command makes, run by onnxruntime."""
    import numpy as np
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder:
        command = ["export", "onnx", "--model", MODEL, "--task", "text-generation-with-past", folder]
        subprocess.run([Path(sys.executable).with_name("optimum-cli"), *command], check=True, stdout=subprocess.DEVNULL)
        session = onnxruntime.InferenceSession(str(Path(folder, "model.onnx")))
    names = {one.name: one for one in session.get_inputs()}
    worst = 0.0
    for ids, expected in zip(IDS, LOGITS, strict=True):
        given = {"input_ids": np.array([ids]), "attention_mask": np.ones((1, len(ids)), np.int64)}
        given |= {
            name: np.zeros([1 if isinstance(size, str) and "batch" in size else 0 if isinstance(size, str) else size
                            for size in one.shape], np.float32)
            for name, one in names.items() if name.startswith("past")
        }  # fmt: skip
        logits = session.run(["logits"], {name: value for name, value in given.items() if name in names})[0]
        worst = max(worst, float(np.abs(logits[0, -1] - np.array(expected)).max()))
    return {"rows": len(IDS), "difference": worst}


def llama_cpp() -> dict:
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(Path(inputs(), "model", "model.gguf"))
    parameters.n_ctx, parameters.n_parallel, parameters.warmup, parameters.verbosity = 512, 1, False, 0
    server = xllamacpp.Server(parameters)
    worst = 0.0
    for text, ids, logits in zip(TEXTS, IDS, LOGITS, strict=True):
        question = {"prompt": text, "n_predict": 1, "n_probs": len(logits), "temperature": 0}
        said = server.handle_completions(question)
        if said["usage"]["prompt_tokens"] != len(ids):
            worst = math.inf
        top = said["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
        total = math.log(math.fsum(math.exp(value - max(logits)) for value in logits)) + max(logits)
        worst = max(worst, max(abs(one["logprob"] - (logits[one["id"]] - total)) for one in top))
    return {"rows": len(TEXTS), "difference": worst}


PROBES = {
    "tokenizer": ("transformers", "`AutoTokenizer`: ids", tokenizer_ids),
    "logits": ("transformers", "`AutoModelForCausalLM`: logits", lambda: largest_difference(load())),
    "generate": ("transformers", "`generate(**tokenizer(text))`, greedy", generate),
    "batch": ("transformers", "`generate`, a padded batch", batch),
    "peft": ("peft", "LoRA: a step, merged", peft),
    "trl": ("trl", "`SFTTrainer`: loss of two steps", trl),
    "lm-eval": ("lm_eval", "`HFLM.loglikelihood`", lm_eval),
    "llama.cpp": ("xllamacpp", "`model.gguf`: ids, log-probabilities", llama_cpp),
    "onnx": ("onnxruntime", "`optimum-cli export onnx`: logits", onnx),
}

if __name__ == "__main__":
    run(PROBES)
