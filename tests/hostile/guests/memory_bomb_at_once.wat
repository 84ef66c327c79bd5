;; Asks for 4 GiB at once, and would go on without them.
(func $thirteen (param $row i32) (drop (memory.grow (i32.const 65472))))
