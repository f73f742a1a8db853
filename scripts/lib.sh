# What the scripts share: a virtual environment of the clone's own, made when it is missing or stale.
# Sourced, not run: `. scripts/lib.sh; prepare dev`.

# prepare EXTRA: make .venv with the pinned versions and the named extra ("" for none).
prepare() {
    extra=$1
    python=${PYTHON:-python3}
    if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        echo "Python 3.11 or newer is needed; set PYTHON to one (found: $("$python" -V 2>&1))." >&2
        exit 2
    fi
    stamp=.venv/.installed-${extra:-base}
    wanted=$(cat pyproject.toml scripts/constraints*.txt | cksum)
    if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$wanted" ]; then
        [ -x .venv/bin/python ] || "$python" -m venv .venv
        echo "Installing into .venv …" >&2
        set -- --quiet --constraint scripts/constraints.txt
        [ ! -f "scripts/constraints-$extra.txt" ] ||
            set -- "$@" --constraint "scripts/constraints-$extra.txt"
        # uv takes a tenth of pip's time; pip goes on where only its own settings name an index.
        # Most of what comes with the packages is never imported, so none of it is compiled ahead.
        # Spark comes as source alone: to compress its wheel takes longer than all the rest.
        pip=".venv/bin/python -m pip --disable-pip-version-check"
        $pip install "$@" uv &&
            .venv/bin/uv pip install --system-certs --no-cache --python .venv/bin/python \
                --config-settings-package pyspark:--build-option=--compression=stored \
                "$@" --editable ".${extra:+[$extra]}" 2>/dev/null ||
            $pip install --no-compile "$@" --editable ".${extra:+[$extra]}"
        echo "$wanted" >"$stamp"
    fi
}

# install_postgresql: have PostgreSQL's programs, but no server that the package makes and starts.
install_postgresql() {
    if ! command -v pg_createcluster >/dev/null; then
        mkdir -p /etc/postgresql-common &&
            echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
    fi
    install_missing pg_createcluster postgresql
}

# install_missing COMMAND PACKAGE: have Debian's package where its command is not there.
install_missing() {
    command -v "$1" >/dev/null && return
    echo "Installing $2 for $1 …" >&2
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y \
        --no-install-recommends "$2"; } >/dev/null || {
        echo "The tests need $1: install $2 and run again." >&2
        exit 2
    }
}

# prepare_pipelines: make .venv/pipelines, with this program, dbt and Airflow; after `prepare`.
prepare_pipelines() {
    folder=.venv/pipelines
    stamp=$folder/.installed
    wanted=$(cat pyproject.toml scripts/constraints-pipelines.txt | cksum)
    [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$wanted" ] || return 0
    echo "Installing into $folder …" >&2
    .venv/bin/uv venv --quiet --clear --python .venv/bin/python "$folder"
    .venv/bin/uv pip install --quiet --system-certs --no-cache --python "$folder" \
        --constraint scripts/constraints-pipelines.txt --editable ".[pipelines]"
    echo "$wanted" >"$stamp"
}
