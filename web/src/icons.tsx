// Icons: 16 px strokes in the text's colour, drawn for this page.

const PATHS = {
	refresh: 'M13 8a5 5 0 1 1-1.500-3.600M13 2.500v2.400h-2.400',
	pause: 'M5.500 3.500v9M10.500 3.500v9',
	play: 'M5 3.500l7 4.500-7 4.500z',
	search: 'M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10zM10.700 10.700L14 14',
	close: 'M4 4l8 8M12 4l-8 8',
	clock: 'M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM8 5v3.200l2.200 1.400',
	down: 'M4.500 6.500L8 10l3.500-3.500',
	filter: 'M2.500 3.500h11L9.500 8.500v4l-3-1.500v-2.500z',
	link: 'M6.500 9.500l3-3M7 4.500l1-1a3 3 0 0 1 4.300 4.300l-1.200 1M9 11.500l-1 1a3 3 0 0 1-4.300-4.300l1.200-1',
	sun: 'M8 10.800a2.800 2.800 0 1 0 0-5.600 2.800 2.800 0 0 0 0 5.600zM8 1.500v1.400M8 13.100v1.400M1.500 8h1.400M13.100 8h1.400M3.400 3.400l1 1M11.600 11.600l1 1M3.400 12.600l1-1M11.600 4.400l1-1',
	moon: 'M13 9.500A5.500 5.500 0 0 1 6.500 3 5.500 5.500 0 1 0 13 9.500z',
	menu: 'M2.500 4h11M2.500 8h11M2.500 12h11',
	sandwich: 'M4 6l4-3.500L12 6M4 10l4 3.500 4-3.500M3 8h10',
	focus: 'M2.500 5.500v-3h3M10.500 2.500h3v3M13.500 10.500v3h-3M5.500 13.500h-3v-3M6 8h4',
	copy: 'M5.500 5.500h8v8h-8zM10.500 5.500v-3h-8v8h3',
	left: 'M2.500 4h11M2.500 8h7M2.500 12h9',
	right: 'M2.500 4h11M6.500 8h7M4.500 12h9',
	reset: 'M3 8a5 5 0 1 0 1.500-3.600M3 2.500v2.400h2.400',
	plus: 'M8 3.500v9M3.500 8h9',
	code: 'M5.500 4L2 8l3.500 4M10.500 4L14 8l-3.500 4',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
	return (
		<svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
			<path d={PATHS[name]} />
		</svg>
	);
}

/** The basket and its fire. */
export function Logo() {
	return (
		<svg class="logo" viewBox="0 0 32 32" width="22" height="22" aria-hidden="true" focusable="false">
			<path class="logo-fire" d="M16 2c1 4.500 7 7 7 12.500a7 7 0 0 1-14 0c0-3 1.700-4.800 2.900-7 .6 1.800 1.200 2.600 2.300 3.500C13.700 8 14.300 5 16 2z" />
			<path class="logo-core" d="M16 11.500c.6 2.300 2.900 3.200 2.900 5.800a2.900 2.900 0 0 1-5.800 0c0-2.100 2.100-3.300 2.900-5.800z" />
			<path class="logo-iron" d="M6 20h20l-3.500 7h-2.300l-1.200 3h-6l-1.200-3H9.500z" />
		</svg>
	);
}
