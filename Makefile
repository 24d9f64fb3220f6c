# Fresh start: `make demo`, `make test`. Both need Python 3.10+ and nothing else: with a ROS 2
# distribution sourced they use it, without one they bring ROS 2 from PyPI's ros-* wheels.

PYTHON ?= python3
# The tests run the learning half on this release.
TORCH ?= torch==2.13.0
# Where worlds, checkpoints and their shards live.
WORK ?= work

# A second distribution beside the wheels, as Ubuntu 24.04 has it: ROS 2 Jazzy, NumPy 1, OpenCV 4.
JAZZY := .venv-jazzy-wheels
# A Python of wheels hands its library path to its children, and another venv's breaks by it.
JAZZY_PY = $(if $(ROS_DISTRO),$(error the Jazzy wheels need a shell without a sourced distribution))\
	env -u _ROS_WHEELS_BOOTSTRAP_COMPLETE -u LD_LIBRARY_PATH \
	AMENT_PREFIX_PATH=$(CURDIR)/$(JAZZY) $(JAZZY)/bin/python
# What tells distributions apart soonest; `make test-jazzy` runs the rest.
JAZZY_SLICE := test/node/test_control.py test/node/test_flow.py test/node/test_topics.py

ifdef ROS_DISTRO
VENV := .venv-$(ROS_DISTRO)
VENV_FLAGS := --system-site-packages
EXTRAS :=
# The distribution's binaries (cv_bridge, rclpy) were built for its own NumPy: keep its series.
NUMPY = "numpy$(shell $(PYTHON) -c 'import numpy; print("<2" if numpy.__version__ < "2" else ">=2")')"
ROS_CHECKS := test-node
# It has a cv_bridge.
BRIDGE_PY = $(PY)
BRIDGE_STAMP := $(VENV)/.stamp-test
else
VENV := .venv
VENV_FLAGS :=
EXTRAS := ros,
NUMPY := numpy
# pip's wheels carry no setup file; this is where they put the ament index.
export AMENT_PREFIX_PATH := $(CURDIR)/$(VENV)
ROS_CHECKS := test-cv-bridge jazzy-slice test-node
BRIDGE_PY = $(JAZZY_PY) test/tools/with_cv_bridge.py build/cv_bridge
BRIDGE_STAMP := $(JAZZY)/.stamp-test
endif
BIN := $(VENV)/bin
PY := $(BIN)/python

SOURCES := setup.py setup.cfg package.xml README.md $(shell find grin_ros launch config resource \
	-type f -not -name '*.pyc' 2>/dev/null)

# Other nodes on the network must neither hear a run nor disturb it.
export RMW_IMPLEMENTATION := rmw_fastrtps_cpp
export ROS_AUTOMATIC_DISCOVERY_RANGE := LOCALHOST
export ROS_DOMAIN_ID := $(shell echo $$(( ($$$$ + $$(date +%s)) % 100 + 1 )))
export ROS_LOG_DIR := $(CURDIR)/build/ros_log

SCENES := OMP_NUM_THREADS=1 nice -n 19 $(PY) -m grin_ros scenes --workers 1 --size 320x240
# Memory that is kept, not given back after each tensor: a seventh of a training step on a CPU.
KEEP_MEMORY := MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=100000000000 MALLOC_TOP_PAD_=268435456

.PHONY: demo test environments ros-lane unit-lane lint colcon test-unit test-node jazzy-slice \
	test-jazzy test-cv-bridge soak bench worlds train-slice clean help

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

# -- environments: a stamp per purpose, made again when setup.py changes --

$(PY):
	$(PYTHON) -m venv $(VENV_FLAGS) $(VENV)

$(VENV)/.stamp-run: setup.py | $(PY)
	$(PY) -m pip install --quiet --no-compile $(NUMPY) ".[$(EXTRAS)cpu]"
	@touch $@

$(VENV)/.stamp-test: setup.py | $(PY)
	$(PY) -m pip install --quiet --no-compile $(NUMPY) "$(TORCH)" ".[$(EXTRAS)cpu,train,bag,test]"
	@touch $@

$(VENV)/.stamp-package: $(SOURCES) | $(VENV)/.stamp-run
	@rm -rf build/lib build/bdist.*
	$(PY) -m pip install --quiet --no-deps --force-reinstall .
	@touch $@

$(JAZZY)/.stamp-test: setup.py
	$(PYTHON) -m venv $(JAZZY)
	$(JAZZY_PY) -m pip install --quiet --no-compile "numpy<2; python_version < '3.13'" \
		"opencv-python-headless<4.12; python_version < '3.13'" ".[ros-jazzy,cpu]" \
		hypothesis onnx pointcloud2 psutil pytest
	@touch $@

# -- what people run --

demo: $(VENV)/.stamp-run $(VENV)/.stamp-package  ## real images through real topics: a table, a picture and a cloud
	$(BIN)/grin demo --output demo

# Side by side: installing is half waiting. What fails here is reported by the check that needs it.
environments:
	@-$(MAKE) --no-print-directory --keep-going --jobs 2 $(VENV)/.stamp-test $(BRIDGE_STAMP)

# Node tests mostly wait for messages, the others compute: two lanes take as long as the slower one,
# and the computing one yields. Each check's output comes as one piece when it ends.
test: environments  ## every check a change must pass
	@$(MAKE) --no-print-directory --keep-going --jobs 2 --output-sync=target ros-lane unit-lane

ros-lane: CHECKS := $(ROS_CHECKS)
unit-lane: CHECKS := lint colcon test-unit
unit-lane: POLITELY := nice -n 10

ros-lane unit-lane:
	@failed=; \
	for check in $(CHECKS); do \
		echo "== $$check"; start=$$(date +%s); \
		$(POLITELY) $(MAKE) --no-print-directory $$check || failed="$$failed $$check"; \
		echo "== $$check took $$(( $$(date +%s) - start )) s"; \
	done; \
	test -z "$$failed" || { echo "failed:$$failed" >&2; exit 1; }

lint: $(VENV)/.stamp-test  ## ruff and mypy (ament's linters run under colcon)
	$(BIN)/ruff check .
	$(BIN)/mypy

colcon: $(VENV)/.stamp-test  ## colcon build, then colcon test of the linters and the package
	@mkdir -p build
	$(PY) -m colcon --log-base build/colcon_log build --paths . \
		--build-base build/colcon --install-base build/install
	. build/install/setup.sh && $(PY) -m colcon --log-base build/colcon_log test --paths . \
		--build-base build/colcon --install-base build/install \
		--pytest-args test/test_flake8.py test/test_pep257.py test/test_package.py
	$(PY) -m colcon --log-base build/colcon_log test-result --test-result-base build/colcon --verbose

test-unit: $(VENV)/.stamp-test  ## all tests that need no second process
	$(PY) -m pytest --ignore test/test_flake8.py --ignore test/test_pep257.py \
		--ignore test/test_package.py --ignore test/node --ignore test/launch $(PYTEST_ARGS)

test-node: $(VENV)/.stamp-test  ## the node in its own process, over real ROS 2
	$(PY) -m pytest test/node test/launch $(PYTEST_ARGS)

# The Jazzy side has no torch: it takes the tiny bundle that this side exports into build/.
jazzy-slice: $(VENV)/.stamp-test $(JAZZY)/.stamp-test  ## flow, topics, parameters and transitions on ROS 2 Jazzy
	$(PY) test/tiny.py
	$(JAZZY_PY) -m pytest --quiet $(JAZZY_SLICE)

test-jazzy: $(VENV)/.stamp-test $(JAZZY)/.stamp-test  ## all node tests and those of messages on ROS 2 Jazzy
	$(PY) test/tiny.py
	$(JAZZY_PY) -m pytest test/node test/unit/test_messages.py test/unit/test_pointcloud.py \
		test/unit/test_intake.py $(PYTEST_ARGS)

test-cv-bridge: $(BRIDGE_STAMP)  ## our messages and those of the real cv_bridge, which it fetches from Debian or Ubuntu
	$(BRIDGE_PY) -m pytest --quiet -k 'cv_bridge or sensor_msgs_py' test/benchmark \
		test/unit/test_messages.py test/unit/test_pointcloud.py

soak: $(VENV)/.stamp-test  ## the long tests: fuzz, lifecycle, load, engine builds, bindings of all TensorRT versions
	$(PY) -m pytest -m soak $(PYTEST_ARGS)

bench: $(VENV)/.stamp-run $(BRIDGE_STAMP)  ## the node's steady state at its defaults, and its messages beside cv_bridge's
	$(PY) test/benchmark/bench_node.py --json build/bench_node.json
	$(BRIDGE_PY) test/benchmark/bench_messages.py --json build/bench_messages.json

worlds: $(VENV)/.stamp-test  ## render the worlds train-slice learns from: one core, lowest priority, resumable
	$(SCENES) --out $(WORK)/val --frames 960 --seed 9600000
	$(SCENES) --out $(WORK)/val_indoors --frames 960 --seed 9700000 --kinds room corridor table
	$(SCENES) --out $(WORK)/val_narrow --frames 120 --seed 9900000 --hfov 15 40
	$(SCENES) --out $(WORK)/train --frames 10000 --seed 2000000
	$(SCENES) --out $(WORK)/train_indoors --frames 10000 --seed 6000000 --kinds room corridor table
	$(SCENES) --out $(WORK)/train_narrow --frames 2000 --seed 8500000 --hfov 15 40

train-slice: $(VENV)/.stamp-test  ## go on training, from the last checkpoint or the shipped bundle
	$(KEEP_MEMORY) nice -n 19 $(PY) -m grin_ros train --config config/train/slice.yaml $(TRAIN_ARGS)

clean:  ## remove what the targets above made
	rm -rf build demo $(VENV) $(JAZZY)
