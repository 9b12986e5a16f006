// What the fixture's host runs: services with their share of CPU, and their stacks.

import { random, seedOf } from './fixture-tree.mjs';

const GO = {
	roots: [['runtime.goexit', 'net/http.(*conn).serve', 'net/http.serverHandler.ServeHTTP'], ['runtime.goexit', 'runtime.gcBgMarkWorker']],
	names: ['github.com/acme/shop/cart.(*Service).AddItem', 'github.com/acme/shop/cart.(*Store).Load',
		'github.com/acme/shop/price.(*Engine).Quote', 'encoding/json.(*decodeState).object', 'encoding/json.(*encodeState).marshal',
		'crypto/tls.(*Conn).Read', 'crypto/tls.(*halfConn).decrypt', 'runtime.mallocgc', 'runtime.scanobject', 'runtime.memmove',
		'database/sql.(*DB).QueryContext', 'github.com/jackc/pgx/v5.(*Conn).Query', 'strings.(*Builder).WriteString', 'sync.(*Mutex).Lock'],
};
const C = {
	roots: [['_start', '__libc_start_main', 'main'], ['clone3', 'start_thread', 'worker_main']],
	names: ['PostgresMain', 'exec_simple_query', 'PortalRun', 'standard_ExecutorRun', 'ExecSeqScan', 'ExecHashJoin', 'heap_getnextslot',
		'hash_search_with_hash_value', 'LWLockAcquire', 'ReadBufferExtended', 'memcpy', 'qsort_arg', 'btgettuple', '_bt_search',
		'libcrypto.so.3+0x1f2a40', 'libpq.so.5+0x1834c', 'malloc', '_int_free'],
};
const JVM = {
	roots: [['start_thread', 'JavaThread::run', 'java.lang.Thread.run', 'java.util.concurrent.ThreadPoolExecutor$Worker.run'],
		['start_thread', 'GCTaskThread::run', 'G1ParTask::work']],
	names: ['org.springframework.web.servlet.DispatcherServlet.doDispatch', 'com.acme.orders.service.OrderService.place',
		'com.acme.orders.repo.OrderRepository.findById', 'org.hibernate.loader.Loader.doQuery', 'java.util.HashMap.getNode',
		'java.lang.String.hashCode', 'com.fasterxml.jackson.databind.ObjectMapper.writeValue', 'com.acme.orders.rules.RuleEngine.evaluate',
		'G1ScanHRForRegionClosure::scan_heap_roots', 'OopOopIterateDispatch<G1CMOopClosure>', 'java.util.regex.Pattern$Loop.match'],
};
const RUST = {
	roots: [['_start', 'main', 'tokio::runtime::scheduler::multi_thread::worker::run'], ['clone3', 'std::sys::thread::Thread::new::thread_start']],
	names: ['tokio::runtime::task::harness::Harness<T,S>::poll', 'hyper::proto::h1::dispatch::Dispatcher<D,Bs,I,T>::poll_read',
		'<alloc::vec::Vec<T> as core::ops::drop::Drop>::drop', 'core::ptr::drop_in_place<alloc::string::String>', 'regex_automata::hybrid::search::find_fwd',
		'serde_json::de::Deserializer<R>::parse_value', 'search::index::Postings::intersect', 'search::rank::bm25::score', 'hashbrown::map::HashMap<K,V,S>::insert'],
};
const PYTHON = {
	roots: [['_start', 'Py_BytesMain', 'pymain_run_python', '<module>']],
	names: ['handle_job', 'load_batch', 'resize_image', '_PyEval_EvalFrameDefault', 'PyObject_Call', 'decode_jpeg', 'libjpeg.so.62+0x1b0f0',
		'numpy/core/_multiarray_umath.dot', 'dict_subscript', 'gc_collect_main', 'send_result', 'json/encoder.iterencode'],
};
const KERNEL = [
	['entry_SYSCALL_64_after_hwframe', 'do_syscall_64', '__x64_sys_read', 'ksys_read', 'vfs_read', 'ext4_file_read_iter', 'filemap_read', 'copy_page_to_iter'],
	['entry_SYSCALL_64_after_hwframe', 'do_syscall_64', '__x64_sys_sendto', '__sys_sendto', 'tcp_sendmsg', 'tcp_write_xmit', '__tcp_transmit_skb', 'ip_queue_xmit'],
	['entry_SYSCALL_64_after_hwframe', 'do_syscall_64', '__x64_sys_futex', 'do_futex', 'futex_wait', 'schedule', '__schedule'],
	['asm_exc_page_fault', 'exc_page_fault', 'do_user_addr_fault', 'handle_mm_fault', '__handle_mm_fault', 'do_anonymous_page', 'clear_page_erms'],
];
const KTHREAD = { roots: [['ret_from_fork_asm', 'ret_from_fork', 'kthread', 'worker_thread', 'process_one_work']],
	names: ['wb_workfn', 'writeback_sb_inodes', 'ext4_do_writepages', 'blk_mq_run_work_fn', 'fq_flush_timeout'] };

export const HOSTILE_NAMES = [
	'<img src=x onerror=alert(1)>', '"><script>alert(2)</script>', 'javascript:alert(3)', '\u202egnp.exe\u202c right to left',
	'line\nbreak\ttab\u0000nul', 'ünïcödé 関数名 🔥🔥🔥', '', ' ', 'constructor', '__proto__', 'toString', '${7*7}{{7*7}}', 'x'.repeat(65535),
	"operator()<std::vector<int>, char const*>(int, 'c', \"s\")", '%s%n%p&amp;&#x41;', 'foo, bar', '[unknown]', '0xdeadbeef',
];

/** name, cores, language, labels. */
export const SERVICES = [
	['checkout', 0.92, GO, { env: 'prod', 'k8s.namespace.name': 'shop' }],
	['postgres', 0.61, C, { env: 'prod', 'k8s.namespace.name': 'data' }],
	['orders-api', 0.44, JVM, { env: 'prod', 'k8s.namespace.name': 'shop' }],
	['search', 0.31, RUST, { env: 'prod', 'k8s.namespace.name': 'shop' }],
	['thumbnailer', 0.27, PYTHON, { env: 'staging', 'k8s.namespace.name': 'media' }],
	['nginx', 0.12, C, { env: 'prod' }], ['kworker/u8:2', 0.06, KTHREAD, {}], ['dockerd', 0.045, GO, {}],
	['containerd', 0.03, GO, {}], ['cresset', 0.021, C, {}], ['systemd', 0.009, C, {}], ['sshd', 0.004, C, {}],
	['node_exporter', 0.003, GO, {}], ['cron', 0.0006, C, {}],
].map(([name, cores, code, labels]) => ({ name, cores, code, labels }));

/** Services for the edges of the page; they take part only when named. */
export const EDGES = ['huge-100k', 'deep-3500', 'hostile <img src=x onerror=alert(4)>', 'recursive'];

function pick(list, rnd) {
	return list[Math.floor(rnd() ** 1.7 * list.length)];
}

/** Stacks with weights that add up to about 1. */
export function stacksOf(service) {
	const code = SERVICES.find((s) => s.name === service)?.code;
	if (code)
		return codeStacks(service, code);
	if (service === 'huge-100k')
		return hugeStacks(100000);
	if (service === 'deep-3500')
		return [[Array.from({ length: 3500 }, (_, i) => `recurse_${i % 7}`), 0.7], [['recurse_0', 'leaf'], 0.3]];
	if (service === 'recursive')
		return [[['main', 'fib', 'fib', 'fib'], 0.5], [['main', 'fib', 'fib'], 0.3], [['main', 'print'], 0.2]];
	if (service.startsWith('hostile'))
		return HOSTILE_NAMES.map((n) => [['main', n], 1 / HOSTILE_NAMES.length]);
	return [];
}

function codeStacks(service, code) {
	const rnd = random(seedOf(service));
	const out = [];
	for (let i = 0; i < 260; i++) {
		const root = pick(code.roots, rnd);
		const shape = random(seedOf(service) + Math.floor(rnd() ** 2 * 36));
		const depth = 2 + Math.floor(shape() * 12);
		const stack = [...root];
		for (let d = 0; d < depth; d++)
			stack.push(d < depth - 2 ? pick(code.names, shape) : pick(code.names, rnd));
		if (code !== KTHREAD && rnd() < 0.22) {
			const kernel = pick(KERNEL, rnd);
			stack.push(...kernel.slice(0, 3 + Math.floor(rnd() * 6)));
		}
		out.push([stack, rnd() ** 3 + 0.004]);
	}
	const sum = out.reduce((n, [, w]) => n + w, 0);
	return out.map(([stack, w]) => [stack, w / sum]);
}

/** A tree of exactly that many nodes with thousands of names. */
function hugeStacks(nodes) {
	const rnd = random(100000);
	const stacks = [];
	const paths = [[]];
	for (let made = 1; made < nodes; made++) {
		const parent = paths[Math.floor(rnd() ** 0.7 * paths.length)];
		const base = parent.length >= 40 ? paths[Math.floor(rnd() * 50) % paths.length] : parent;
		const path = [...base, `pkg${made % 97}/mod.Type${made % 613}.method${made}`];
		paths.push(path);
		stacks.push([path, (0.2 + rnd()) / nodes]);
	}
	return stacks;
}
