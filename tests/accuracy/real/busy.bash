# Functions, arithmetic, strings and arrays, until killed.
words=(alpha beta gamma delta)
collatz() {
	local n=$1 steps=0
	while ((n > 1)); do
		((n = n % 2 ? 3 * n + 1 : n / 2, steps++))
	done
	result=$steps
}
while :; do
	for ((i = 1; i < 300; i++)); do
		collatz $i
		text=${words[i % 4]}$result
		[[ $text =~ ^[a-z]+([0-9]+)$ ]] && table[i]=${BASH_REMATCH[1]}
		case ${text//a/b} in b*) ((hits++)) ;; esac
	done
done
