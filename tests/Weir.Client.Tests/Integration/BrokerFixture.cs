using Microsoft.Extensions.Logging.Abstractions;
using Weir.Server.Hosting;
using Weir.Server.Options;

namespace Weir.Client.Tests.Integration;

/// <summary>A real broker in this process, on a free loopback port and a temporary directory.</summary>
public sealed class BrokerFixture : IAsyncDisposable
{
    private readonly string _data = Directory.CreateTempSubdirectory("weir-client-").FullName;
    private readonly Action<BrokerOptions>? _configure;
    private Broker? _broker;
    private int _port;

    private BrokerFixture(Action<BrokerOptions>? configure) => _configure = configure;

    public string Address => $"127.0.0.1:{_port}";

    public static async Task<BrokerFixture> StartAsync(Action<BrokerOptions>? configure = null)
    {
        var fixture = new BrokerFixture(configure);
        await fixture.StartBrokerAsync();
        return fixture;
    }

    /// <summary>Stops the broker; its data and port stay.</summary>
    public async Task StopBrokerAsync()
    {
        if (_broker is { } broker)
        {
            _broker = null;
            await broker.DisposeAsync();
        }
    }

    /// <summary>Starts it again where it was.</summary>
    public async Task StartBrokerAsync()
    {
        var options = new BrokerOptions { Data = _data, Listen = $"127.0.0.1:{_port}", Http = "none" };
        _configure?.Invoke(options);
        _broker = await Broker.StartAsync(options, TimeProvider.System, NullLogger<Broker>.Instance);
        _port = _broker.EndPoint.Port;
    }

    public Task<WeirClient> ConnectAsync(Action<WeirClientOptions>? configure = null)
    {
        var options = new WeirClientOptions { Servers = Address, ClientId = "tests" };
        configure?.Invoke(options);
        return WeirClient.ConnectAsync(options, TestContext.Current.CancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        await StopBrokerAsync();
        Directory.Delete(_data, recursive: true);
    }
}
