// The canvas, and what the mouse and keyboard do on it.

import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { barBox, flameDraw, FONT, levelAtY, ROW_PX, rowTop, type Scene } from './flame/draw.ts';
import { DARK, LIGHT, slotsByPackage, slotsByValue } from './flame/color.ts';
import { graphFindKey, graphKeyText, graphLevelOf, graphLevels, graphNodeAt, graphNodes, type Graph } from './flame/graph.ts';
import { flameMove, type Move } from './flame/keys.ts';
import { displayName } from './format.ts';
import type { ColorBy } from './url.ts';

export interface FlameProps {
	graph: Graph;
	label: string;
	theme: 'dark' | 'light';
	color: ColorBy;
	alignEnd: boolean;
	hits: Uint8Array | undefined;
	/** The graph that this one was made from, which knows what is kernel. */
	base: Graph;
	/** Focused node; 0 is the whole graph. */
	focus: number;
	flip?: boolean;
	value(amount: number): string;
	tip(graph: Graph, node: number, focus: number): preact.ComponentChildren;
	say(graph: Graph, node: number): void;
	onFocus(node: number): void;
	onMenu(graph: Graph, node: number, x: number, y: number): void;
}

interface Tip {
	node: number;
	x: number;
	y: number;
}

const ZOOM_MS = 170;
const KEYS: Record<string, Move> = {
	ArrowUp: 'parent', ArrowDown: 'child', ArrowLeft: 'previous', ArrowRight: 'next', Home: 'first',
};

function emptyScene(graph: Graph): Scene {
	return {
		graph, slots: new Uint8Array(0), palette: DARK, x0: 0, x1: 1, width: 0, height: 0, scrollTop: 0,
		charWidth: 7.2, hits: undefined, focusLevel: 0, selected: -1, hovered: -1, flip: false,
		alignEnd: false, label: () => '', value: () => '',
	};
}

/** Everything of one canvas that changes without rendering the page again. */
class Stage {
	readonly scene: Scene;
	private frame = 0;
	private zoomFrom: [number, number] | undefined;
	private zoomTo: [number, number] = [0, 1];
	private zoomStart = 0;
	canvas: HTMLCanvasElement | null = null;
	onDrawn: () => void = () => {};

	constructor(graph: Graph) {
		this.scene = emptyScene(graph);
	}

	invalidate(): void {
		if (this.frame === 0)
			this.frame = requestAnimationFrame((now) => this.draw(now));
	}

	stop(): void {
		cancelAnimationFrame(this.frame);
		this.frame = 0;
	}

	/** Goes to a range of x, at once or in a short animation. */
	show(x0: number, x1: number, animate: boolean): void {
		const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
		this.zoomTo = [x0, x1];
		this.zoomFrom = animate && !calm ? [this.scene.x0, this.scene.x1] : undefined;
		this.zoomStart = performance.now();
		if (!this.zoomFrom)
			[this.scene.x0, this.scene.x1] = [x0, x1];
		this.invalidate();
	}

	private step(now: number): void {
		if (!this.zoomFrom)
			return;
		const t = Math.min(1, Math.max(0, (now - this.zoomStart) / ZOOM_MS));
		const ease = 1 - (1 - t) ** 3;
		this.scene.x0 = this.zoomFrom[0] + (this.zoomTo[0] - this.zoomFrom[0]) * ease;
		this.scene.x1 = this.zoomFrom[1] + (this.zoomTo[1] - this.zoomFrom[1]) * ease;
		if (t === 1)
			this.zoomFrom = undefined;
		else
			this.invalidate();
	}

	private draw(now: number): void {
		this.frame = 0;
		const { canvas, scene } = this;
		const ctx = canvas?.getContext('2d');
		if (!canvas || !ctx || scene.width === 0)
			return;
		this.step(now);
		this.resize(canvas, ctx);
		flameDraw(ctx, scene);
		this.onDrawn();
	}

	private resize(canvas: HTMLCanvasElement, ctx: CanvasRenderingContext2D): void {
		const dpr = window.devicePixelRatio || 1;
		const width = Math.round(this.scene.width * dpr);
		const height = Math.round(this.scene.height * dpr);
		if (canvas.width !== width || canvas.height !== height) {
			canvas.width = width;
			canvas.height = height;
			canvas.style.width = `${this.scene.width}px`;
			canvas.style.height = `${this.scene.height}px`;
		}
		ctx.setTransform(dpr, 0, 0, dpr, 0, 0);
		ctx.font = FONT;
		this.scene.charWidth = ctx.measureText('MMMMMMMMMM').width / 10;
	}
}

export function FlameView(p: FlameProps) {
	const box = useRef<HTMLDivElement>(null);
	const canvas = useRef<HTMLCanvasElement>(null);
	const stage = useRef<Stage>(undefined);
	stage.current ??= new Stage(p.graph);
	const st = stage.current;
	const [tip, setTip] = useState<Tip | null>(null);
	const slots = useMemo(() => (p.color === 'value' ? slotsByValue(p.graph) : slotsByPackage(p.graph, p.base)),
		[p.graph, p.base, p.color]);
	const focus = p.focus >= 0 && p.focus < graphNodes(p.graph) ? p.focus : 0;

	usePrepare(p, st, slots, focus);
	useSize(box, canvas, st);
	useReveal(box, st, p.graph, focus, p.flip === true);
	useEffect(() => setTip(null), [p.graph, focus]);

	const nodeAt = (e: MouseEvent): number => {
		const r = canvas.current!.getBoundingClientRect();
		const x = st.scene.x0 + (e.clientX - r.left) / r.width * (st.scene.x1 - st.scene.x0);
		return graphNodeAt(p.graph, levelAtY(st.scene, e.clientY - r.top), x);
	};
	const hover = (node: number, e?: MouseEvent) => {
		if (st.scene.hovered !== node) {
			st.scene.hovered = node;
			st.invalidate();
		}
		setTip(node >= 0 && e ? { node, x: e.clientX, y: e.clientY } : null);
	};
	const select = (node: number) => {
		st.scene.selected = node;
		st.invalidate();
		if (node < 0)
			return setTip(null);
		reveal(box.current, st.scene, node);
		p.say(p.graph, node);
		const b = barBox(st.scene, node);
		const r = box.current!.getBoundingClientRect();
		return setTip(b ? { node, x: r.left + b.left + 8, y: r.top + b.top + ROW_PX } : null);
	};
	const openMenu = (node: number, x: number, y: number) => {
		setTip(null);
		p.onMenu(p.graph, node, x, y);
	};
	const menuAtSelected = () => {
		const b = barBox(st.scene, st.scene.selected);
		const r = box.current!.getBoundingClientRect();
		if (b)
			openMenu(st.scene.selected, r.left + b.left + 8, r.top + b.top + ROW_PX);
	};
	const onKey = (e: KeyboardEvent) => {
		const key = p.flip && e.key === 'ArrowUp' ? 'ArrowDown' : p.flip && e.key === 'ArrowDown' ? 'ArrowUp' : e.key;
		if (e.ctrlKey || e.metaKey || e.altKey)
			return;
		if (KEYS[key])
			select(flameMove(p.graph, st.scene.selected, KEYS[key], focus));
		else if (key === 'Enter' && st.scene.selected >= 0)
			p.onFocus(st.scene.selected);
		else if (key === 'Escape' && (focus > 0 || st.scene.selected >= 0))
			escape();
		else if ((key === 'ContextMenu' || (e.shiftKey && key === 'F10')) && st.scene.selected >= 0)
			menuAtSelected();
		else
			return;
		e.preventDefault();
		e.stopPropagation();
	};
	const escape = () => {
		if (focus > 0)
			p.onFocus(0);
		else
			select(-1);
	};

	return (
		<div class="flame-box" ref={box} role="application" aria-roledescription="flame graph" aria-label={p.label}
			aria-keyshortcuts="ArrowUp ArrowDown ArrowLeft ArrowRight Enter Escape Shift+F10" tabIndex={0}
			onKeyDown={onKey}
			onBlur={() => setTip(null)}
			onScroll={() => {
				st.scene.scrollTop = box.current!.scrollTop;
				st.invalidate();
				hover(-1);
			}}>
			<div class="flame-tall" style={{ height: `${graphLevels(p.graph) * ROW_PX}px` }}>
				<canvas ref={canvas} aria-hidden="true"
					onPointerMove={(e) => hover(nodeAt(e), e)}
					onPointerLeave={() => hover(-1)}
					onClick={(e) => {
						const node = nodeAt(e);
						if (node < 0)
							return;
						st.scene.selected = node;
						p.onFocus(node);
					}}
					onContextMenu={(e) => {
						e.preventDefault();
						const node = nodeAt(e);
						if (node >= 0)
							openMenu(node, e.clientX, e.clientY);
					}} />
			</div>
			{tip && tip.node < graphNodes(p.graph)
				? <TipBox x={tip.x} y={tip.y}>{p.tip(p.graph, tip.node, focus)}</TipBox> : null}
		</div>
	);
}

/** Puts the properties into the scene before the next frame. */
function usePrepare(p: FlameProps, st: Stage, slots: Uint8Array, focus: number): void {
	const shown = useRef<Graph>(undefined);
	useLayoutEffect(() => {
		const { scene } = st;
		const g = p.graph;
		const fresh = shown.current !== g;
		const selected = fresh && shown.current && scene.selected >= 0
			? graphFindKey(g, graphKeyText(shown.current, scene.selected)) : scene.selected;
		shown.current = g;
		const shortNames = new Map<number, string>();
		Object.assign(scene, {
			graph: g, slots, palette: p.theme === 'dark' ? DARK : LIGHT, hits: p.hits, flip: p.flip === true,
			alignEnd: p.alignEnd, focusLevel: graphLevelOf(g, focus),
			label: (n: number) => {
				const text = shortNames.get(g.name[n]) ?? displayName(g.names[g.name[n]], 400);
				shortNames.set(g.name[n], text);
				return text;
			},
			value: (n: number) => p.value(g.total[n]),
		});
		if (fresh)
			scene.hovered = -1;
		scene.selected = selected;
		if (graphNodes(g) > 0)
			st.show(g.x[focus], g.x[focus] + Math.max(g.total[focus], Number.MIN_VALUE), !fresh);
		st.onDrawn = () => {
			if (fresh) {
				performance.mark('cresset-drawn', { detail: graphNodes(g) });
				st.onDrawn = () => {};
			}
		};
	}, [p.graph, slots, p.theme, p.hits, p.flip, p.alignEnd, focus, p.value]);
}

function useSize(box: { current: HTMLDivElement | null }, canvas: { current: HTMLCanvasElement | null }, st: Stage) {
	useLayoutEffect(() => {
		const el = box.current!;
		st.canvas = canvas.current;
		const measure = () => {
			st.scene.width = el.clientWidth;
			st.scene.height = el.clientHeight;
			st.scene.scrollTop = el.scrollTop;
			st.invalidate();
		};
		const observer = new ResizeObserver(measure);
		observer.observe(el);
		measure();
		return () => {
			observer.disconnect();
			st.stop();
		};
	}, []);
}

/** Keeps the focused block, or the callers' root at the bottom, in view. */
function useReveal(box: { current: HTMLDivElement | null }, st: Stage, g: Graph, focus: number, flip: boolean) {
	const was = useRef<[Graph, number]>(undefined);
	useLayoutEffect(() => {
		const el = box.current!;
		if (flip && was.current?.[0] !== g)
			el.scrollTop = el.scrollHeight;
		else if (was.current?.[1] !== focus)
			reveal(el, st.scene, focus);
		was.current = [g, focus];
		st.scene.scrollTop = el.scrollTop;
	}, [g, focus, flip]);
}

function reveal(el: HTMLDivElement | null, scene: Scene, node: number): void {
	if (!el || node < 0 || node >= graphNodes(scene.graph))
		return;
	const top = rowTop(scene, graphLevelOf(scene.graph, node));
	if (top < 0 || top + ROW_PX > el.clientHeight)
		el.scrollTop = scene.scrollTop + top - Math.min(4 * ROW_PX, el.clientHeight / 3);
	scene.scrollTop = el.scrollTop;
}

/** Beside the pointer, and always inside the window. */
function TipBox({ x, y, children }: { x: number; y: number; children: preact.ComponentChildren }) {
	const ref = useRef<HTMLDivElement>(null);
	useLayoutEffect(() => {
		const el = ref.current!;
		const left = x + 14 + el.offsetWidth > innerWidth ? Math.max(4, x - 14 - el.offsetWidth) : x + 14;
		const top = y + 16 + el.offsetHeight > innerHeight ? Math.max(4, y - 10 - el.offsetHeight) : y + 16;
		el.style.transform = `translate(${left}px, ${top}px)`;
	});
	return <div class="tip" ref={ref} aria-hidden="true">{children}</div>;
}
