// Copying text. navigator.clipboard is only there for https and loopback, and
// the page is often opened through a plain http host name.

function copyBySelection(text: string): boolean {
	const area = document.createElement('textarea');
	area.value = text;
	area.style.position = 'fixed';
	area.style.opacity = '0';
	document.body.append(area);
	area.select();
	const done = document.execCommand('copy');
	area.remove();
	return done;
}

export async function copyText(text: string): Promise<boolean> {
	try {
		await navigator.clipboard.writeText(text);
		return true;
	} catch {
		return copyBySelection(text);
	}
}
