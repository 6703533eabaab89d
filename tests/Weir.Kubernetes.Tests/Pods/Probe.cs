using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using k8s.Models;

namespace Weir.Kubernetes.Tests.Pods;

/// <summary>One probe of a container, by HTTP, TCP or a command.</summary>
/// <param name="owner">The container.</param>
/// <param name="probe">Null: it always succeeds.</param>
/// <param name="address">The pod's.</param>
/// <param name="ports">By which names of ports are found.</param>
internal sealed class Probe(Container owner, V1Probe? probe, string address, IList<V1ContainerPort>? ports)
{
    private static readonly HttpClient Http = new(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.Zero })
    {
        Timeout = Timeout.InfiniteTimeSpan,
    };

    /// <summary>Probes until the container is as wanted: as often in a row as the thresholds say.</summary>
    /// <param name="wanted">Success or failure.</param>
    /// <param name="onFailure">Called at the failure that is not wanted, or is.</param>
    /// <param name="ended">The end of the process.</param>
    public async Task UntilAsync(bool wanted, Action onFailure, CancellationToken ended)
    {
        if (probe is null)
        {
            if (!wanted)
            {
                await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, ended);
            }

            return;
        }

        var (successes, failures) = (0, 0);
        var period = TimeSpan.FromSeconds(probe.PeriodSeconds ?? 10);
        await Task.Delay(TimeSpan.FromSeconds(probe.InitialDelaySeconds ?? 0), TimeProvider.System, ended);
        while (true)
        {
            var isGood = await TryAsync(ended);
            (successes, failures) = isGood ? (successes + 1, 0) : (0, failures + 1);
            if (wanted && successes >= (probe.SuccessThreshold ?? 1))
            {
                return;
            }

            if (failures >= (probe.FailureThreshold ?? 3))
            {
                onFailure();
                if (!wanted)
                {
                    return;
                }
            }

            await Task.Delay(period, TimeProvider.System, ended);
        }
    }

    private async Task<bool> TryAsync(CancellationToken ended)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(ended);
        timeout.CancelAfter(TimeSpan.FromSeconds(probe!.TimeoutSeconds ?? 1));
        try
        {
            if (probe.HttpGet is { } get)
            {
                var url = new Uri(string.Create(CultureInfo.InvariantCulture, $"http://{address}:{PortOf(get.Port)}{get.Path}"));
                using var response = await Http.GetAsync(url, timeout.Token);
                return (int)response.StatusCode is >= 200 and < 400;
            }

            if (probe.TcpSocket is { } tcp)
            {
                using var client = new TcpClient();
                await client.ConnectAsync(address, PortOf(tcp.Port), timeout.Token);
                return true;
            }

            if (probe.Exec is { } exec)
            {
                using var process = Process.Start(owner.Command([.. exec.Command]))!;
                await process.WaitForExitAsync(timeout.Token);
                return process.ExitCode == 0;
            }

            throw new NotSupportedException("a probe of another kind");
        }
        catch (Exception e) when (e is HttpRequestException or SocketException or InvalidOperationException
            || (e is OperationCanceledException && !ended.IsCancellationRequested))
        {
            return false;
        }
    }

    private int PortOf(IntOrString port) => int.TryParse(port.Value, CultureInfo.InvariantCulture, out var number)
        ? number
        : ports?.FirstOrDefault(candidate => candidate.Name == port.Value)?.ContainerPort
            ?? throw new NotSupportedException($"port {port.Value}");
}
