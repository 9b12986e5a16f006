// Rust: closures, trait objects, generics, threads, panics. The same lines on stdout as chains.h says.
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Mutex;

static SINK: AtomicU64 = AtomicU64::new(1);
static WINDOWS: Mutex<Vec<String>> = Mutex::new(Vec::new());

#[repr(C)]
struct Timespec {
    seconds: i64,
    nanoseconds: i64,
}

extern "C" {
    fn clock_gettime(clock: i32, time: *mut Timespec) -> i32;
    fn syscall(number: i64, ...) -> i64;
}

#[cfg(target_arch = "x86_64")]
const SYS_GETTID: i64 = 186;
#[cfg(target_arch = "aarch64")]
const SYS_GETTID: i64 = 178;
const CLOCK_MONOTONIC: i32 = 1;
const CLOCK_PROCESS_CPUTIME_ID: i32 = 2;

fn now_ns(clock: i32) -> u64 {
    let mut time = Timespec { seconds: 0, nanoseconds: 0 };
    unsafe { clock_gettime(clock, &mut time) };
    time.seconds as u64 * 1_000_000_000 + time.nanoseconds as u64
}

fn goes_on() -> bool {
    let seconds: f64 = std::env::args().nth(2).unwrap().parse().unwrap();
    now_ns(CLOCK_PROCESS_CPUTIME_ID) < (seconds * 1e9) as u64
}

#[inline(never)]
fn burn() {
    let mut x = SINK.load(Ordering::Relaxed);
    for i in 0..5_000_000u64 {
        x = x.wrapping_mul(6364136223846793005).wrapping_add((x >> 17) ^ i);
    }
    SINK.store(x, Ordering::Relaxed);
}

#[inline(never)]
fn burn_as(id: &str) {
    let begin = now_ns(CLOCK_MONOTONIC);
    burn();
    let end = now_ns(CLOCK_MONOTONIC);
    let tid = unsafe { syscall(SYS_GETTID) };
    WINDOWS.lock().unwrap().push(format!("window {} {} {} {} {}", std::process::id(), tid, id, begin, end));
}

fn touch() {
    SINK.fetch_add(1, Ordering::Relaxed);
}

// ---- plain ----

trait Shape {
    fn draw(&self, depth: u32);
}

struct Circle;

impl Shape for Circle {
    #[inline(never)]
    fn draw(&self, depth: u32) {
        if depth > 1 {
            self.draw(depth - 1);
        } else {
            burn_as("plain");
        }
        touch();
    }
}

#[inline(never)]
fn generic<T: Fn()>(work: T) {
    work();
    touch();
}

#[inline(never)]
fn dynamic(shape: &dyn Shape) {
    shape.draw(20);
    touch();
}

#[inline(never)]
fn plain() {
    dynamic(&Circle);
    touch();
}

// ---- callbacks ----

#[inline(never)]
fn compare(a: &u32, b: &u32) -> std::cmp::Ordering {
    burn_as("sort");
    a.cmp(b)
}

#[inline(never)]
fn sort() {
    let mut numbers = vec![3, 1, 2];
    numbers.sort_by(compare);
    generic(|| {
        burn_as("closure");
        touch();
    });
    SINK.fetch_add(numbers[0] as u64, Ordering::Relaxed);
}

// ---- threads ----

#[inline(never)]
fn in_thread() {
    burn_as("thread");
    touch();
}

#[inline(never)]
fn threads() {
    let all: Vec<_> = (0..4).map(|_| std::thread::spawn(in_thread)).collect();
    for thread in all {
        thread.join().unwrap();
    }
}

// ---- panics: values are dropped while the stack unwinds ----

struct Guard;

impl Drop for Guard {
    #[inline(never)]
    fn drop(&mut self) {
        burn_as("drop");
        touch();
    }
}

#[inline(never)]
fn guarded(value: u64) {
    let _guard = Guard;
    if value > 0 {
        panic!("meant");
    }
    touch();
}

#[inline(never)]
fn panics() {
    let _ = std::panic::catch_unwind(|| guarded(SINK.load(Ordering::Relaxed) | 1));
    touch();
}

// Without optimisation, arithmetic and loops are calls.
const BURN: &str = "*;chains::burn;chains::burn_as;";
const ROOT: &str = "chains::main;*;main;@process";

fn expect(id: &str, frames: &str) {
    println!("chain {};{}{};{}", id, BURN, frames, ROOT);
}

fn say_chains() {
    expect("plain", "<chains::Circle as chains::Shape>::draw*20;chains::dynamic;chains::plain");
    expect("sort", "chains::compare;*;chains::sort");
    expect("closure", "*;~chains::generic;chains::sort");
    expect("drop", "<chains::Guard as core::ops::drop::Drop>::drop;*;chains::guarded;*;chains::panics");
    println!("chain thread;{}chains::in_thread;*;@thread", BURN);
}

fn main() {
    let case = std::env::args().nth(1).unwrap_or_default();
    let work: fn() = match case.as_str() {
        "plain" => plain,
        "sort" => sort,
        "threads" => threads,
        "panics" => panics,
        _ => std::process::exit(2),
    };
    say_chains();
    std::panic::set_hook(Box::new(|_| ()));
    while goes_on() {
        work();
    }
    for line in WINDOWS.lock().unwrap().iter() {
        println!("{}", line);
    }
    std::io::stdout().flush().unwrap();
}
