<?php
// rows.php NAME: a job of 160 MiB that again and again holds rows of the stock for 30 ms in a transaction, as imports of
// prices and stocks do. Whoever stops it inside one stops each page that sells.
[, $name] = $argv;
touch("/run/lab/jobs/$name.started");
$database = new mysqli('localhost', 'shop', 'shop', 'shop');
$hold = function (int $pause_us) use ($database): void {
    try {
        $database->query('START TRANSACTION');
        $database->query('UPDATE stock SET n = n + 1 WHERE id BETWEEN 5 AND 9');
        usleep(30_000);
        $database->query('COMMIT');
    } catch (mysqli_sql_exception $waits) {
        // The table comes with the storm, a moment after the first of us.
        $database->query('ROLLBACK');
    }
    usleep($pause_us);
};
$rows = [];
for ($taken = 0; $taken < 160; $taken += 4) {
    $rows[] = str_repeat('x', 4 << 20);
    $hold(70_000);
}
for ($i = 0; $i < 24; $i++) {
    $hold(470_000);
}
touch("/run/lab/jobs/$name.finished");
