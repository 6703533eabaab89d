using System.Net;
using k8s;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Weir.Operator.Hosting;
using Weir.Operator.Tests.Support;

namespace Weir.Operator.Tests;

/// <summary>The whole operator in its host.</summary>
public sealed class HostTests
{
    private const string Lease = "apis/coordination.k8s.io/v1/namespaces/default/leases/weir-operator";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task One_of_two_instances_works_and_both_are_ready_and_the_other_one_takes_over()
    {
        await using var bed = await OperatorBed.CreateAsync();
        await using var first = Build(bed, "one");
        await using var second = Build(bed, "two");
        await first.StartAsync(Token);
        await bed.Server.WaitAsync("the first one leads", () => bed.Server.Get(Lease));
        await second.StartAsync(Token);
        await bed.Server.WaitForConditionAsync(bed.PutTopic("orders"), "Ready", "True");
        await second.Services.GetRequiredService<OperatorParts>().Synced.WaitAsync(Token);
        using var http = new HttpClient();
        foreach (var app in new[] { first, second })
        {
            var address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()
                .Replace("[::]", "127.0.0.1", StringComparison.Ordinal);
            foreach (var path in new[] { "livez", "readyz", "metrics" })
            {
                Assert.Equal(HttpStatusCode.OK, (await http.GetAsync(new Uri($"{address}/{path}"), Token)).StatusCode);
            }
        }

        Assert.StartsWith("one_", Holder(bed), StringComparison.Ordinal);
        await first.StopAsync(Token);
        await bed.Server.WaitAsync("the second one leads", () => Holder(bed).StartsWith("two_", StringComparison.Ordinal) ? "yes" : null);
        await bed.Server.WaitForConditionAsync(bed.PutTopic("bills"), "Ready", "True");
        await second.StopAsync(Token);
        Assert.Equal(string.Empty, Holder(bed));
    }

    private static string Holder(OperatorBed bed) => (string?)bed.Server.Get(Lease)!["spec"]!["holderIdentity"] ?? string.Empty;

    private static WebApplication Build(OperatorBed bed, string name) => OperatorHost.Build(
        new OperatorOptions { PodName = name, HttpPort = 0, Namespaces = ["ns"] },
        new KubernetesClientConfiguration { Host = bed.Server.Address }, _ => bed.Broker.Address);
}
