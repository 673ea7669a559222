package main

import "context"

func benchLatency(context.Context, options) ([]row, error) { return nil, errSkip }
func benchMemory(context.Context, options) ([]row, error)  { return nil, errSkip }
