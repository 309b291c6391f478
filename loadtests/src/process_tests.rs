//! Texts of the kernel, as it writes them.

use super::*;

const STAT: &str = "4711 (on ya) (x) S 1 4711 4711 0 -1 4194560 5000 0 12 0 250 75 3 4 20 0 9 0 1000 900000 1200 1";
const ROLLUP: &str = "\
5587-7ffc ---p 00000000 00:00 0                          [rollup]
Rss:               10240 kB
Pss:                9000 kB
Pss_Dirty:          8000 kB
Pss_Anon:           8500 kB
Anonymous:          8192 kB
";
const SOCKSTAT: &str = "sockets: used 16\nTCP: inuse 1 orphan 0 tw 3 alloc 1 mem 42\nUDP: inuse 0 mem 0\n";
const MACHINE: &str = "cpu  100 5 50 800 40 0 5 0 0 0\ncpu0 50 2 25 400 20 0 2 0 0 0\n";

#[test]
fn ticks_are_found_behind_a_name_with_spaces_and_brackets() {
    assert_eq!(ticks(STAT), Some(325));
    assert_eq!(ticks("4711 (x"), None);
}

#[test]
fn run_time_is_the_first_field() {
    assert_eq!(run_time_ns("987654321 1000 7\n"), Some(987_654_321));
    assert_eq!(run_time_ns(""), None);
}

#[test]
fn memory_is_read_in_bytes_and_by_its_whole_name() {
    let expected = Memory { rss: 10240 * 1024, pss: 9000 * 1024, anonymous: 8192 * 1024 };
    assert_eq!(rollup(ROLLUP), Some(expected));
    assert_eq!(rollup("Rss: 1 kB\n"), None);
}

#[test]
fn tcp_memory_is_counted_in_pages() {
    assert_eq!(socket_pages(SOCKSTAT), Some(42));
    assert_eq!(socket_pages("UDP: inuse 0 mem 0\n"), None);
}

#[test]
fn the_kernels_structures_are_those_it_calls_slab() {
    assert_eq!(slab("MemFree: 9 kB\nSlab:             123456 kB\nSReclaimable: 7 kB\n"), Some(123_456 * 1024));
}

#[test]
fn waiting_for_a_disk_is_not_work() {
    assert_eq!(machine(MACHINE), Some((160, 1000)));
    assert!((busy_share((100, 500), (160, 1000)) - 0.12).abs() < 1e-9);
    assert!(busy_share((1, 1), (1, 1)).abs() < 1e-9);
}

fn cpu(threads: &[(u32, u64)], ticks: u64) -> CpuTime {
    CpuTime { by_thread_ns: threads.iter().copied().collect(), ticks }
}

#[test]
fn cpu_time_is_exact_while_all_threads_live() {
    let earlier = cpu(&[(1, 100), (2, 50)], 10);
    assert_eq!(cpu(&[(1, 130), (2, 50), (3, 7)], 99).since(&earlier), 37, "a new thread counts in full");
}

#[test]
fn cpu_time_of_a_thread_that_has_ended_is_not_lost() {
    let earlier = cpu(&[(1, 100), (2, 50)], 10);
    assert_eq!(cpu(&[(1, 130)], 12).since(&earlier), 20_000_000);
}

#[test]
fn this_very_process_can_be_watched_and_no_process_cannot() {
    let process = Process::watch(std::process::id()).unwrap();
    assert!(process.memory().unwrap().rss > 0);
    assert!(!process.cpu().unwrap().by_thread_ns.is_empty());
    assert!(Process::watch(u32::MAX).is_err());
}

#[test]
fn two_processes_are_measured_as_one() {
    let (own, parent) = (std::process::id(), std::os::unix::process::parent_id());
    let both = Process::watch(own).unwrap().with(Process::watch(parent).unwrap());
    let used = both.cpu().unwrap();
    assert!(used.by_thread_ns.contains_key(&own) && used.by_thread_ns.contains_key(&parent));
}
