using Microsoft.Extensions.Logging;
using Xunit;

namespace Weir.Cluster.Tests.Harness;

/// <summary>Writes what a client logs into the output of the test that made it, which is shown if it fails. Thread-safe.</summary>
internal sealed class OutputLog : ILoggerFactory, ILogger
{
    private readonly ITestOutputHelper? _output = TestContext.Current.TestOutputHelper;

    public ILogger CreateLogger(string categoryName) => this;

    public void AddProvider(ILoggerProvider provider)
    {
    }

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        try
        {
            _output?.WriteLine($"{DateTime.UtcNow:HH:mm:ss.fff} client {logLevel} {eventId.Id} {formatter(state, exception)}");
        }
        catch (InvalidOperationException)
        {
            // The test is over, and its client not yet.
        }
    }

    public void Dispose()
    {
    }
}
