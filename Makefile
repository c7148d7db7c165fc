# make help says what there is. Works with GNU make 3.81 (macOS) and in folders with blanks in their name.
ifeq ($(OS),Windows_NT)
BIN := .venv/Scripts
else
BIN := .venv/bin
endif
SET_UP = python=$$(sh packaging/engine/python.sh) && "$$python" packaging/engine/build.py
ARGS ?=

.PHONY: help setup run test wheel clean

help:
	@echo "make run      set up what is missing, then start edgeinfer (make run ARGS=\"serve --help\" for its commands)"
	@echo "make test     set up what is missing, then ruff, mypy and pytest"
	@echo "make setup    only set up: .venv, the engine (from source, once, minutes), the libraries"
	@echo "make wheel    the project's own wheel, in dist/"
	@echo "make clean    remove .venv and .build"
	@echo ""
	@echo "EDGEINFER_ACCEL=cuda|vulkan|rocm make run   builds the engine for an accelerator too; macOS takes Metal by itself"
	@echo "PYTHON=/path/to/python3.11 make run         takes this Python"
	@echo "CMAKE_ARGS, CC, CXX, CFLAGS, CXXFLAGS and LDFLAGS are handed to the engine's build and are part of its key"

setup:
	@$(SET_UP)

run: setup
	@$(BIN)/edgeinfer $(ARGS)

test:
	@$(SET_UP) --dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest

wheel:
	@$(SET_UP) --wheel

clean:
	rm -rf .venv .build
