//! The local cluster from outside: it heals, and leaves nothing behind however it ends.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed step ends the test, also in the functions that tests share"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::{sleep, timeout};

/// Longest wait for something to happen.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longer than any test takes: what ends the program is what the test does.
const LONG: &str = "600";

/// The running program.
struct Local {
    process: Child,
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    /// What it has printed.
    printed: Vec<String>,
    folder: PathBuf,
}

impl Local {
    async fn start(arguments: &[&str]) -> Self {
        let program = Path::new(env!("CARGO_BIN_EXE_onya-local"));
        let onya = program.with_file_name("onya");
        assert!(onya.exists(), "{} is missing: cargo build -p onya", onya.display());
        let mut command = Command::new(program);
        command.args(["--port", "0", "--headless", LONG, "--onya"]).arg(onya).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let input = process.stdin.take().unwrap();
        let mut local = Self { process, input, lines, printed: Vec::new(), folder: PathBuf::new() };
        let line = local.until(|line| line.starts_with("Starting in ")).await;
        local.folder = PathBuf::from(line.split_whitespace().nth(2).unwrap());
        local
    }

    /// Waits for a line that is not there yet.
    async fn until(&mut self, is_meant: impl Fn(&str) -> bool) -> String {
        let waiting = async {
            loop {
                let line = self.lines.next_line().await.unwrap().expect("the program ended");
                self.printed.push(line.clone());
                if is_meant(&line) {
                    return line;
                }
            }
        };
        let line = timeout(PATIENCE, waiting).await;
        line.unwrap_or_else(|_| panic!("nothing of what was waited for in:\n{}", self.printed.join("\n")))
    }

    /// Waits for an event that has all of these words.
    async fn event(&mut self, words: &[&str]) {
        self.events(&[words]).await;
    }

    /// Waits for such events, in whatever order they come.
    async fn events(&mut self, meant: &[&[&str]]) {
        let mut missing = meant.to_vec();
        while !missing.is_empty() {
            let is = |line: &str, words: &[&str]| words.iter().all(|word| line.contains(word));
            let line = self.until(|line| missing.iter().any(|words| is(line, words))).await;
            missing.retain(|words| !is(&line, words));
        }
    }

    async fn say(&mut self, line: &str) {
        self.input.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    async fn status(&mut self) -> Option<i32> {
        timeout(PATIENCE, self.process.wait()).await.expect("the program does not end").unwrap().code()
    }
}

/// The processes that were started in a folder.
fn processes_in(folder: &Path) -> Vec<String> {
    let lives_there = |process: &PathBuf| {
        let place = fs::read_link(process.join("cwd")).unwrap_or_default();
        place.to_string_lossy().starts_with(&*folder.to_string_lossy())
    };
    let processes = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    let name = |process: PathBuf| fs::read_to_string(process.join("cmdline")).unwrap_or_default().replace('\0', " ");
    processes.filter(lives_there).map(name).collect()
}

#[tokio::test]
async fn a_killed_node_is_found_dead_its_conversations_are_taken_over_and_nothing_stays() {
    let mut local = Local::start(&["--traffic", "--customers", "24"]).await;
    let is_busy = |line: &str| line.starts_with("node-2 ") && line.contains(" live ") && owned(line) > 0;
    local.until(is_busy).await;
    assert!(processes_in(&local.folder).len() > 6, "{:?}", processes_in(&local.folder));

    local.say("kill node-2").await;
    local.event(&["node-2's process has ended: SIGKILL"]).await;
    local.event(&["found node-2 (", ") dead by its "]).await;
    local.event(&["took over from node-2 (", "conversation"]).await;

    for command in ["add", "restart node-2", "drain node-1", "explode"] {
        local.say(command).await;
    }
    let joined: [&[&str]; 2] = [&["node-4 (", "is live"], &["node-2 (", "is live"]];
    let drained: [&[&str]; 2] = [&["node-1 (", "is draining"], &["node-1 (", "handed over to node-"]];
    local.events(&[joined[0], joined[1], drained[0], drained[1], &["\"explode\" is none of kill"]]).await;
    local.say("quit").await;
    assert_eq!(local.status().await, Some(0));
    assert_eq!(processes_in(&local.folder), Vec::<String>::new());
    assert!(!local.folder.exists());
}

/// How many conversations a row says that a node owns.
fn owned(row: &str) -> usize {
    let cells: Vec<&str> = row.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
    cells[5].parse().unwrap()
}

#[tokio::test]
async fn everything_ends_with_the_program_even_if_that_is_killed() {
    let mut local = Local::start(&["--nodes", "1"]).await;
    local.event(&["node-1 (", "is live"]).await;
    local.say("pause node-1").await;
    local.event(&["node-1's process stands still"]).await;
    assert!(processes_in(&local.folder).len() > 4, "{:?}", processes_in(&local.folder));
    local.process.kill().await.unwrap();
    let gone = async {
        while !processes_in(&local.folder).is_empty() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    let gone = timeout(PATIENCE, gone).await;
    assert!(gone.is_ok(), "still there: {:?}", processes_in(&local.folder));
    fs::remove_dir_all(&local.folder).unwrap();
}

#[tokio::test]
async fn what_is_missing_is_named_with_the_line_to_type() {
    let output = Command::new(env!("CARGO_BIN_EXE_onya-local"))
        .args(["--headless", LONG])
        .env_clear()
        .env("PATH", "/nowhere")
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("apt-get install -y --no-install-recommends") && said.contains("redis-server"), "{said}");
}
