module example.com/echo-arg

go 1.20
