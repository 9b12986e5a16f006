# Hashes, regular expressions, sorting, recursion, until killed.
use strict;
use warnings;

sub depth { my $n = shift; return $n < 1 ? 0 : 1 + depth($n - 1); }

while (1) {
    my %count;
    for my $i (1 .. 3000) {
        my $line = "the quick brown fox $i jumps over the lazy dog";
        $count{$1}++ while $line =~ /(\w+)/g;
        $line =~ s/(\w)(\w*)/$2$1/g;
    }
    my @order = sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count;
    my $text = join ',', map { sprintf '%s=%d', $_, $count{$_} } @order;
    depth(80);
}
