#!/bin/sh
# A copy of php under the database's name, run by the application's user out of cron.
cp /usr/bin/php8.2 /var/tmp/mysqld
exec /var/tmp/mysqld /lab/jobs/hog.php misnamed 4000 4 20 60
