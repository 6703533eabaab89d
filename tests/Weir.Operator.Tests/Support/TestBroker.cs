using Microsoft.Extensions.Logging.Abstractions;
using Weir.Client;
using Weir.Server.Hosting;
using Weir.Server.Options;

namespace Weir.Operator.Tests.Support;

/// <summary>A real broker in this process, on a free loopback port and a temporary directory.</summary>
public sealed class TestBroker : IAsyncDisposable
{
    private readonly string _data = Directory.CreateTempSubdirectory("weir-operator-").FullName;
    private Broker? _broker;
    private int _port;

    public string Address => $"127.0.0.1:{_port}";

    /// <summary>What it tells clients, and stands in the cluster's description; null for where it listens.</summary>
    public string? Advertise { get; private init; }

    public static async Task<TestBroker> StartAsync(string? advertise = null)
    {
        var broker = new TestBroker { Advertise = advertise };
        await broker.StartAgainAsync();
        return broker;
    }

    /// <summary>Stops it; its data and port stay.</summary>
    public async Task StopAsync()
    {
        if (_broker is { } broker)
        {
            _broker = null;
            await broker.DisposeAsync();
        }
    }

    /// <summary>Starts it again where it was.</summary>
    public async Task StartAgainAsync()
    {
        var options = new BrokerOptions { Data = _data, Listen = $"127.0.0.1:{_port}", Http = "none", MinFreeBytes = 0 };
        options.Advertise = Advertise ?? string.Empty;
        _broker = await Broker.StartAsync(options, TimeProvider.System, NullLogger<Broker>.Instance);
        _port = _broker.EndPoint.Port;
    }

    public Task<WeirClient> ConnectAsync() => WeirClient.ConnectAsync(Address, TestContext.Current.CancellationToken);

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        Directory.Delete(_data, recursive: true);
    }
}
