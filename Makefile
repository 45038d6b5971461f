# make demo       index the sample documents and ask five questions
# make app        ask your own documents in the browser (http://127.0.0.1:7860)
# make test       run the tests
# make test-slow  run the tests that train for minutes
# make style      ruff and mypy
# make lock       write requirements.lock.txt: every package with its hashes
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: app demo lock test test-slow style
demo: $(VENV)/.installed
	$(BIN)/python -m koqas.koqas_demo

app: $(VENV)/.installed
	$(BIN)/python -c "import gradio" 2>/dev/null || $(BIN)/python -m pip install --quiet -e ".[app]"
	$(BIN)/python -m koqas.interface

test: $(VENV)/.installed
	$(BIN)/python -m pytest -m "not slow and not gpu" tests

test-slow: $(VENV)/.installed
	$(BIN)/python -m pytest -m slow tests

lock: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet uv==0.13.9
	$(BIN)/python -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--custom-compile-command "make lock" requirements.txt -o requirements.lock.txt

# mypy knows a package by its folder: the link is called koqas, whatever the checkout is called.
style: $(VENV)/.installed
	$(BIN)/ruff check .
	@mkdir -p $(VENV)/typed && ln -sfn ../.. $(VENV)/typed/koqas
	cd $(VENV)/typed && ../bin/mypy --config-file ../../pyproject.toml koqas/koqas_*.py koqas/benchmarks koqas/documents koqas/interface koqas/service koqas/train

$(VENV)/.installed: requirements.txt pyproject.toml
	@echo "가상 환경을 만들고 패키지를 설치합니다 (installing into $(VENV); the first time takes minutes)"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -r requirements.txt
	$(BIN)/python -m pip install --quiet --no-deps -e .
	@touch $@
