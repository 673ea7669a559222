package main

import "context"

func benchClassifier(context.Context, options) ([]row, error) { return nil, errSkip }
func benchLatency(context.Context, options) ([]row, error)    { return nil, errSkip }
func benchMemory(context.Context, options) ([]row, error)     { return nil, errSkip }
func trainMillrace(context.Context, task) (result, error)     { return result{}, nil }
func predictMillrace(context.Context, task) (result, error)   { return result{}, nil }
