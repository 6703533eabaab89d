using Microsoft.Extensions.Logging;

namespace Weir.Client.Tests;

/// <summary>Tells when a client logs an event, and may hold up the thread that does.</summary>
internal sealed class LoggedEvent(int id, bool isHeldUp = false) : ILoggerFactory, ILogger
{
    private readonly TaskCompletionSource _reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ManualResetEventSlim _mayGoOn = new(!isHeldUp);

    public Task Reached => _reached.Task;

    public void GoOn() => _mayGoOn.Set();

    public ILogger CreateLogger(string categoryName) => this;

    public bool IsEnabled(LogLevel logLevel) => true;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (eventId.Id == id)
        {
            _reached.TrySetResult();
            _mayGoOn.Wait();
        }
    }

    public void AddProvider(ILoggerProvider provider)
    {
    }

    public void Dispose() => _mayGoOn.Set();
}
