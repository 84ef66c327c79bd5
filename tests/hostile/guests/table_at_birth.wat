;; Begins with a table of ten million slots.
(table $table 10000000 funcref)
