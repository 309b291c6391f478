//! The built program against the built server: that it measures the right thing, never how fast that was.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed step ends the test, also in the functions that tests share"
)]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn loadtest(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_loadtest")).args(arguments).output().unwrap()
}

/// The server, built beside this program.
fn onya() -> PathBuf {
    let bin = Path::new(env!("CARGO_BIN_EXE_loadtest")).with_file_name("onya");
    assert!(bin.exists(), "{} is missing: cargo build -p onya", bin.display());
    bin
}

/// A small report of some parts, which must have gone well.
fn report(parts: &str, more: &[&str]) -> Value {
    let onya = onya();
    let arguments = ["--json", "report", "--quick", "--onya-bin", onya.to_str().unwrap(), "--only", parts];
    let output = loadtest(&[&arguments, more].concat());
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stdout));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A figure of a measurement, of `Onya` or the `relay`.
fn figure(report: &Value, of: &str, measure: &str, key: &str) -> f64 {
    let measured = report["figures"].as_array().unwrap().iter();
    let mut found = measured.filter(|pair| pair[0] == of && pair[1]["measure"] == measure);
    let figures = found.next().unwrap_or_else(|| panic!("no {measure} of {of} in {report}"))[1]["figures"].as_array();
    let figure = figures.unwrap().iter().find(|figure| figure["key"] == key);
    figure.unwrap_or_else(|| panic!("no {key} in {report}"))["value"].as_f64().unwrap()
}

#[test]
fn streams_are_complete_and_correct_through_onya_and_through_the_relay() {
    let report = report("stream", &[]);
    for of in ["Onya", "relay"] {
        assert!(figure(&report, of, "stream", "replies_complete") >= 5.0, "each of the streams ran at least once");
        assert_eq!(figure(&report, of, "stream", "streams_wrong"), 0.0);
        assert!(figure(&report, of, "stream", "replies_measured") > 0.0);
        assert!(figure(&report, of, "stream", "server_cpu_per_token") > 0.0, "the server's process was found");
    }
    assert_eq!(figure(&report, "relay", "stream", "frames_per_token"), 1.0, "the floor sends each token by itself");
}

#[test]
fn sockets_idle_in_this_process_and_in_several() {
    let report = report("idle,idle19k,live", &[]);
    for of in ["Onya", "relay"] {
        assert_eq!(figure(&report, of, "idle", "sockets"), 20.0);
        assert_eq!(figure(&report, of, "idle with a live actor", "sockets"), 20.0);
        assert!(figure(&report, of, "idle", "rss_after") > 0.0);
    }
    assert_eq!(report["figures"].as_array().unwrap().len(), 6, "three measurements, of Onya and the relay each");
}

#[test]
fn handshakes_hellos_and_closes_are_measured_apart() {
    let report = report("handshake", &[]);
    for key in ["server_cpu_per_handshake", "server_cpu_per_hello", "server_cpu_per_close"] {
        assert!(figure(&report, "Onya", "handshake", key) > 0.0, "{key}");
    }
    assert!(figure(&report, "relay", "handshake", "server_cpu_per_handshake") > 0.0);
}

#[test]
fn each_message_is_acknowledged_once_and_each_visit_comes_to_its_end() {
    let report = report("ack,churn", &[]);
    assert_eq!(figure(&report, "Onya", "ack", "messages"), 50.0);
    assert_eq!(figure(&report, "Onya", "churn", "visits"), 30.0);
}

#[test]
fn on_postgres_one_bare_commit_is_measured_beside_the_acknowledgement() {
    let Ok(server) = std::env::var("TEST_DATABASE_URL") else {
        panic!("TEST_DATABASE_URL is not set: run ./tests/run exec cargo test -p onya-loadtests");
    };
    let report = report("ack", &["--database-url", &server]);
    assert_eq!(figure(&report, "Onya", "ack", "messages"), 50.0);
    assert!(figure(&report, "Onya", "ack", "bare_commit_p50") > 0.0);
}

/// A small run of some measurements of several nodes, which must have gone well.
fn cluster(parts: &str) -> Value {
    let variable = |name: &str| {
        std::env::var(name)
            .unwrap_or_else(|_| panic!("{name} is not set: run ./tests/run exec cargo test -p onya-loadtests"))
    };
    let (onya, server, redis) = (onya(), variable("TEST_DATABASE_URL"), variable("TEST_REDIS_SERVER"));
    let servers = ["--onya-bin", onya.to_str().unwrap(), "--database-url", &server, "--redis-server", &redis];
    let output = loadtest(&[&["--json", "cluster", "--quick", "--only", parts][..], &servers].concat());
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stdout));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A figure of a measurement of several nodes.
fn cluster_figure(report: &Value, measure: &str, key: &str) -> f64 {
    let mut measured = report["figures"].as_array().unwrap().iter();
    let figures = measured.find(|figures| figures["measure"] == measure).unwrap_or_else(|| panic!("no {measure}"));
    let figure = figures["figures"].as_array().unwrap().iter().find(|figure| figure["key"] == key);
    figure.unwrap_or_else(|| panic!("no {key} in {figures}"))["value"].as_f64().unwrap()
}

#[test]
fn two_nodes_do_together_what_one_does_alone() {
    let report = cluster("relay");
    for way in ["cluster, local path", "cluster, through another node"] {
        assert!(cluster_figure(&report, way, "stream_replies_complete") >= 5.0, "{way}");
        assert_eq!(cluster_figure(&report, way, "ack_messages"), 50.0, "{way}");
        assert!(cluster_figure(&report, way, "cpu_per_token") > 0.0, "{way}");
    }
}

#[test]
fn customers_of_a_node_that_leaves_or_is_cut_off_come_back_elsewhere_and_lose_nothing() {
    let report = cluster("drain,herd");
    let drained = |key| cluster_figure(&report, "cluster, a node is drained", key);
    assert_eq!((drained("sends_failed"), drained("replies_wrong")), (0.0, 0.0));
    assert!(drained("moves") >= drained("sockets_on_the_node"), "everybody who was there has come back elsewhere");
    assert!(drained("messages") > 6.0 && drained("replies_complete") >= 5.0, "customers talked meanwhile");
    assert!(cluster_figure(&report, "cluster, all sockets of a node are cut", "all_in_step_after") > 0.0);
    assert!(cluster_figure(&report, "cluster, all sockets of a node are cut", "store_connections_most") > 0.0);
}

#[test]
fn customers_of_killed_nodes_are_answered_by_the_others() {
    let report = cluster("kill");
    for measure in ["cluster, 1 of 3 nodes are killed", "cluster, 2 of 3 nodes are killed"] {
        let figure = |key| cluster_figure(&report, measure, key);
        assert!(figure("conversations_touched") >= 4.0, "a third of the sockets was there: {report}");
        assert!(figure("answered_max") > 0.0);
        assert_eq!(figure("sends_failed"), 0.0);
    }
}

/// A command that must fail, and what it says.
fn failure(arguments: &[&str]) -> String {
    let output = loadtest(arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    assert!(output.stdout.is_empty(), "nothing was measured");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_token_that_is_refused_is_said_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(onya());
    command.arg("serve").env_clear().envs([("PORT", "0"), ("ONYA_METRICS__PORT", "0"), ("LOG_LEVEL", "error")]);
    let mut server = command.current_dir(folder.path()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.strip_prefix("onya: ").unwrap().split(' ').next().unwrap();
    let output = loadtest(&["stream", "--url", url, "--streams", "1", "--token", "nonsense"]);
    server.kill().unwrap();
    server.wait().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("401") && said.contains("unauthenticated"), "{said}");
}

#[test]
fn somebody_elses_host_is_never_loaded_by_mistake() {
    let said = failure(&["stream", "--url", "http://192.0.2.1:3000", "--streams", "1"]);
    assert!(said.contains("--i-own-this-host"), "{said}");
}

#[test]
fn what_went_wrong_is_said_with_what_to_do() {
    // A port where nobody listens, since nobody listens there any more.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}");
    let own = std::process::id().to_string();
    let own_program = env!("CARGO_BIN_EXE_loadtest").to_owned();
    for (arguments, expected) in [
        (vec!["stream", "--url", &url, "--streams", "1"], "is it up?"),
        (vec!["handshake", "--url", &url], "--pid"),
        (vec!["idle", "--url", &url, "--pid", "4294967295"], "cannot be watched"),
        (
            vec![
                "idle",
                "--url",
                &url,
                "--pid",
                &own,
                "--connections",
                "99999999",
                "--per-process",
                "99999999",
                "--bare",
            ],
            "ulimit",
        ),
        (vec!["ack", "--url", &url, "--bare"], "acknowledges nothing"),
        (vec!["report", "--onya-bin", "/nowhere/onya"], "cargo build --release"),
        (vec!["cluster", "--onya-bin", "/nowhere/onya", "--database-url", "postgres://h/d"], "cargo build --release"),
        (
            vec![
                "cluster",
                "--onya-bin",
                &own_program,
                "--database-url",
                "postgres://h/d",
                "--redis-server",
                "/nowhere",
            ],
            "--redis-server",
        ),
    ] {
        let said = failure(&arguments);
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
}
