;; Begins with twenty tables.
(table $t0 1 funcref) (table $t1 1 funcref) (table $t2 1 funcref) (table $t3 1 funcref) (table $t4 1 funcref)
(table $t5 1 funcref) (table $t6 1 funcref) (table $t7 1 funcref) (table $t8 1 funcref) (table $t9 1 funcref)
(table $ta 1 funcref) (table $tb 1 funcref) (table $tc 1 funcref) (table $td 1 funcref) (table $te 1 funcref)
(table $tf 1 funcref) (table $tg 1 funcref) (table $th 1 funcref) (table $ti 1 funcref) (table $tj 1 funcref)
