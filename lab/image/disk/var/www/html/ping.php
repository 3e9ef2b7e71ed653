<?php
// One page of the shop: 8 MiB of PHP's own and 31 rows of 300 kB out of the database.
$page = str_repeat('x', 8 << 20);
$database = new mysqli('localhost', 'shop', 'shop', 'shop');
$from = mt_rand(1, 1170);
$sum = $database->query("SELECT SUM(LENGTH(v)) FROM t WHERE id BETWEEN $from AND $from + 30")->fetch_row();
echo "ok $sum[0]\n";
