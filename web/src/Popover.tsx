// A button with a panel below it, and the context menu.

import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { Icon, type IconName } from './icons.tsx';

export interface PopoverProps {
	label: preact.ComponentChildren;
	title: string;
	open: boolean;
	wide?: boolean;
	onToggle(open: boolean): void;
	children: preact.ComponentChildren;
}

export function Popover(p: PopoverProps) {
	const box = useRef<HTMLDivElement>(null);
	const panel = useRef<HTMLDivElement>(null);
	useEffect(() => {
		if (!p.open)
			return undefined;
		const away = (e: PointerEvent) => {
			if (!box.current!.contains(e.target as Node))
				p.onToggle(false);
		};
		document.addEventListener('pointerdown', away);
		return () => document.removeEventListener('pointerdown', away);
	}, [p.open]);
	useLayoutEffect(() => {
		if (!p.open)
			return;
		const el = panel.current!;
		const over = el.getBoundingClientRect().right - (innerWidth - 8);
		if (over > 0)
			el.style.left = `${-over}px`;
		el.querySelector<HTMLElement>('[data-first],button,select,input')?.focus();
	}, [p.open]);
	const onKey = (e: KeyboardEvent) => {
		if (e.key !== 'Escape' || !p.open)
			return;
		e.stopPropagation();
		p.onToggle(false);
		box.current!.querySelector('button')!.focus();
	};
	return (
		<div class="popover" ref={box} onKeyDown={onKey}>
			<button type="button" class="button" title={p.title} aria-haspopup="dialog" aria-expanded={p.open}
				onClick={() => p.onToggle(!p.open)}>{p.label}</button>
			{p.open ? <div class="panel" ref={panel} role="dialog" aria-label={p.title}>{p.children}</div> : null}
		</div>
	);
}

export interface MenuItem {
	icon: IconName;
	text: string;
	run(): void;
}

export interface MenuState {
	title: string;
	x: number;
	y: number;
	items: MenuItem[];
}

export function Menu({ menu, onClose }: { menu: MenuState; onClose(): void }) {
	const ref = useRef<HTMLDivElement>(null);
	useLayoutEffect(() => {
		const el = ref.current!;
		el.style.left = `${Math.max(4, Math.min(menu.x, innerWidth - el.offsetWidth - 4))}px`;
		el.style.top = `${Math.max(4, Math.min(menu.y, innerHeight - el.offsetHeight - 4))}px`;
		const before = document.activeElement as HTMLElement | null;
		el.querySelector('button')!.focus();
		const away = (e: Event) => {
			if (!el.contains(e.target as Node))
				onClose();
		};
		document.addEventListener('pointerdown', away);
		addEventListener('blur', onClose);
		return () => {
			document.removeEventListener('pointerdown', away);
			removeEventListener('blur', onClose);
			if (el.contains(document.activeElement) || document.activeElement === document.body)
				before?.focus();
		};
	}, [menu]);
	const onKey = (e: KeyboardEvent) => {
		const items = [...ref.current!.querySelectorAll('button')];
		const at = items.indexOf(document.activeElement as HTMLButtonElement);
		const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[e.key];
		if (e.key === 'Escape' || e.key === 'Tab')
			onClose();
		else if (to !== undefined)
			items[(to + items.length) % items.length].focus();
		else
			return;
		e.preventDefault();
		e.stopPropagation();
	};
	return (
		<div class="menu" ref={ref} role="menu" aria-label={menu.title} onKeyDown={onKey}>
			<div class="menu-title" role="presentation">{menu.title}</div>
			{menu.items.map((item) => (
				<button key={item.text} type="button" role="menuitem" tabIndex={-1}
					onClick={() => { onClose(); item.run(); }}>
					<Icon name={item.icon} />{item.text}
				</button>
			))}
		</div>
	);
}
