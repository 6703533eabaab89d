using System.Runtime.InteropServices;
using System.Text.Json;
using Weir.Client;
using Weir.Kubernetes.Load;

// Publishes to every partition of a topic with acks=all until SIGTERM, then reads everything back and says what it saw:
//   Weir.Kubernetes.Load SERVERS TOPIC MIN_ISR
if (args is not [var servers, var topic, var minIsr])
{
    Console.Error.WriteLine("usage: Weir.Kubernetes.Load SERVERS TOPIC MIN_ISR");
    return 2;
}

using var stop = new CancellationTokenSource();
using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal =>
{
    signal.Cancel = true;
    stop.Cancel();
});

await using var client = await WeirClient.ConnectAsync(servers, stop.Token);
var load = new Load(client, topic, int.Parse(minIsr, System.Globalization.CultureInfo.InvariantCulture));
var report = await load.RunAsync(stop.Token);
Console.WriteLine(JsonSerializer.Serialize(report));
return 0;
