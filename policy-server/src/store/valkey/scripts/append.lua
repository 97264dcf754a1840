-- ARGV: 2 event.
announce(ARGV[2])
return 1
