using Microsoft.Extensions.Logging;
using Weir.Client;
using Weir.Server.Hosting;
using Weir.Server.Options;
using Xunit;

namespace Weir.Server.Tests;

/// <summary>A real broker in this process on a directory of its own.</summary>
public sealed class RunningBroker : IAsyncDisposable
{
    private readonly DirectoryInfo? _ownDirectory;

    private RunningBroker(Broker broker, DirectoryInfo? ownDirectory, CapturedLog log)
    {
        Broker = broker;
        _ownDirectory = ownDirectory;
        Log = log;
    }

    public Broker Broker { get; }

    public CapturedLog Log { get; }

    public string Address => Broker.EndPoint.ToString();

    public static async Task<RunningBroker> StartAsync(
        string? directory = null, Action<BrokerOptions>? configure = null)
    {
        var own = directory is null ? Directory.CreateTempSubdirectory("weir-server-test-") : null;
        var options = new BrokerOptions
        {
            Data = directory ?? own!.FullName,
            Listen = "127.0.0.1:0",
            Http = "none",
            MinFreeBytes = 0,
        };
        configure?.Invoke(options);
        var log = new CapturedLog();
        return new RunningBroker(
            await Broker.StartAsync(options, TimeProvider.System, log, TestContext.Current.CancellationToken), own, log);
    }

    public Task<WeirClient> ConnectAsync() => WeirClient.ConnectAsync(Address, TestContext.Current.CancellationToken);

    public async ValueTask DisposeAsync()
    {
        await Broker.DisposeAsync();
        _ownDirectory?.Delete(recursive: true);
    }
}

/// <summary>Keeps what the broker logs.</summary>
public sealed class CapturedLog : ILogger<Broker>
{
    private readonly List<string> _lines = [];

    public IReadOnlyList<string> Lines
    {
        get
        {
            lock (_lines)
            {
                return [.. _lines];
            }
        }
    }

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (IsEnabled(logLevel))
        {
            lock (_lines)
            {
                _lines.Add($"{logLevel}: {formatter(state, exception)}");
            }
        }
    }
}
