;; More memory from the start than any instance may have.
(memory $memory (export "memory") 65536)
