// Loads what the page shows, again and again while it is live.

import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { ApiError, apiFlameGraph, apiProfileTypes, apiSelectSeries, type ProfileType } from './api.ts';
import { graphDecode, graphTotal, type Graph } from './flame/graph.ts';
import { rangeWindow, type Range, type Window } from './range.ts';
import { selectorFormat, selectorQuery, type Matcher } from './selector.ts';
import { timelineBuild, type Timeline } from './series.ts';
import { CPU_TYPE } from './types.ts';

export interface Query {
	service: string;
	type: string;
	filters: Matcher[];
	range: Range;
	maxNodes: number;
}

export interface Snapshot {
	window: Window;
	now: number;
	types: ProfileType[];
	type: string;
	timeline: Timeline;
	graph: Graph;
	service: string;
}

/** waiting: nothing is stored at all. empty: there is data, but none for this question. */
export type Phase = 'loading' | 'waiting' | 'empty' | 'ready' | 'error';

export interface Profile {
	phase: Phase;
	busy: boolean;
	/** What is shown answers an earlier question. */
	stale: boolean;
	snapshot: Snapshot | undefined;
	error: ApiError | undefined;
	refresh(): void;
}

const LIVE_MS = 5000;
const WAIT_MS = 1000;

async function load(q: Query, signal: AbortSignal): Promise<Snapshot> {
	const now = Date.now();
	const window = rangeWindow(q.range, now);
	const wanted = q.type || CPU_TYPE;
	const typesAsked = apiProfileTypes(signal);
	const first = loadType(q, wanted, window, signal);
	const [types, parts] = await Promise.all([typesAsked, first]);
	const other = !q.type && types.length > 0 && !types.some((t) => t.ID === wanted) ? types[0].ID : '';
	const [timeline, graph] = other ? await loadType(q, other, window, signal) : parts;
	return { window, now, types, type: other || wanted, timeline, graph, service: q.service };
}

/** The services' series carry the timeline and the list of services, so one request gives both. */
async function loadType(q: Query, type: string, w: Window, signal: AbortSignal): Promise<[Timeline, Graph]> {
	const [series, flame] = await Promise.all([
		apiSelectSeries(type, selectorFormat(q.filters), ['service_name'], w, signal),
		apiFlameGraph(type, selectorQuery(q.filters, q.service), q.maxNodes, w, signal),
	]);
	return [timelineBuild(series, 'service_name', w), graphDecode(flame)];
}

function phaseOf(s: Snapshot): Phase {
	if (graphTotal(s.graph) > 0)
		return 'ready';
	return s.types.length === 0 && s.timeline.services.length === 0 ? 'waiting' : 'empty';
}

interface Result {
	key: string;
	phase: Phase;
	snapshot: Snapshot | undefined;
	/** The question that the snapshot answers. */
	answers: string;
	error: ApiError | undefined;
}

const NOTHING: Result = { key: '', phase: 'loading', snapshot: undefined, answers: '', error: undefined };

/** One load at a time: a new question cancels the one before it. */
export function useProfile(q: Query, live: boolean): Profile {
	const [result, setResult] = useState<Result>(NOTHING);
	const [busy, setBusy] = useState(false);
	const [round, setRound] = useState(0);
	const key = JSON.stringify([q.service, q.type, q.filters, q.range, q.maxNodes]);
	const latest = useRef(key);
	latest.current = key;

	useEffect(() => {
		const abort = new AbortController();
		setBusy(true);
		load(q, abort.signal).then(
			(snapshot) => setResult({ key, phase: phaseOf(snapshot), snapshot, answers: key, error: undefined }),
			(e: unknown) => {
				if (!abort.signal.aborted)
					setResult((old) => ({ ...old, key, phase: 'error', error: toApiError(e) }));
			},
		).finally(() => { if (!abort.signal.aborted) setBusy(false); });
		return () => abort.abort();
	}, [key, round]);

	const refresh = useCallback(() => setRound((n) => n + 1), []);
	const settled = result.key === key && !busy;
	const pause = pauseOf(result.phase, live && q.range.last > 0);
	useEffect(() => (settled && pause > 0 ? whenVisible(pause, refresh) : undefined), [settled, pause, round]);
	// Under an error, what answers another question would be taken for the answer.
	const unrelated = result.phase === 'error' && result.answers !== key;
	return { phase: result.phase, busy, stale: result.key !== key, snapshot: unrelated ? undefined : result.snapshot, error: result.error, refresh };
}

/** Milliseconds until the next load; 0 for none. The first data shows up even when not live. */
function pauseOf(phase: Phase, live: boolean): number {
	if (phase === 'waiting')
		return WAIT_MS;
	return live ? LIVE_MS : 0;
}

function toApiError(e: unknown): ApiError {
	return e instanceof ApiError ? e : new ApiError(0, '', e instanceof Error ? e.message : String(e));
}

/** A page in the background asks nothing; it asks at once when it is looked at again. */
function whenVisible(ms: number, run: () => void): () => void {
	let due = false;
	const fire = () => {
		due = true;
		if (document.visibilityState === 'visible')
			run();
	};
	const timer = setTimeout(fire, ms);
	const shown = () => { if (due) fire(); };
	document.addEventListener('visibilitychange', shown);
	return () => {
		clearTimeout(timer);
		document.removeEventListener('visibilitychange', shown);
	};
}
