"""What every `Host` and every mailbox must do, as suites of checks that anybody can hold theirs against."""
