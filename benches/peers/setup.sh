#!/usr/bin/env bash
# Makes a virtual environment with the peers, versions pinned, in the folder given. usage: setup.sh FOLDER
set -euo pipefail
folder=${1:?the folder for the virtual environment}
python3 -m venv "$folder"
"$folder/bin/pip" install --quiet --requirement "$(dirname "$0")/requirements.txt"
