-- ARGV: 2 id, 3 keep_until, 4 event.
return revoke(ARGV[2], ARGV[3], ARGV[4])
