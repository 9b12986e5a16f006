// Dark and light: the system's choice, until the user makes another one.

import { useEffect, useState } from 'preact/hooks';

export type Theme = 'dark' | 'light';
const KEY = 'cresset-theme';
const DARK_QUERY = '(prefers-color-scheme: dark)';

function stored(): Theme | '' {
	try {
		const t = localStorage.getItem(KEY);
		return t === 'dark' || t === 'light' ? t : '';
	} catch {
		return '';
	}
}

function system(): Theme {
	return matchMedia(DARK_QUERY).matches ? 'dark' : 'light';
}

function store(theme: Theme): void {
	try {
		if (theme === system())
			localStorage.removeItem(KEY);
		else
			localStorage.setItem(KEY, theme);
	} catch {
		// Without storage the choice lasts as long as the page.
	}
}

/** Before the first render, so that the page never flashes in the other theme. */
export function themeApply(): void {
	document.documentElement.dataset.theme = stored() || system();
}

export function useTheme(): [Theme, () => void] {
	const [theme, setTheme] = useState<Theme>(stored() || system());
	useEffect(() => { document.documentElement.dataset.theme = theme; }, [theme]);
	useEffect(() => {
		const query = matchMedia(DARK_QUERY);
		const follow = () => { if (!stored()) setTheme(system()); };
		query.addEventListener('change', follow);
		return () => query.removeEventListener('change', follow);
	}, []);
	const toggle = () => {
		const next = theme === 'dark' ? 'light' : 'dark';
		store(next);
		setTheme(next);
	};
	return [theme, toggle];
}
